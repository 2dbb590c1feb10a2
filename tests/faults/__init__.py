"""The fault suite: break Rapport in every way we know, and see that what must hold still holds.

``make faults`` runs it, in about 47 minutes on two quiet cores; ``make faults ARGS="--only NAME
--seed N"`` repeats one run; ``--list`` shows what there is. ``make test`` runs a few of the
experiments in a short form (test_short.py).

An experiment is one function in one file of ``experiments/`` and one line in the tuple
``EXPERIMENTS`` there::

    def run(world: World) -> Iterable[str]:
        site = world.installation()                    # empty, on the world's engines
        receiver, journal = world.receiver(), world.journal()
        north = site.tenant("north", receiver.url)     # an organisation with all it needs
        site.up().ready()                              # or ingest(), projections(), alerts()
        sender = Sender(journal, lambda: site.processes["up"].address, north)
        sender.send_all(in_batches(a_story(world.chance), world.chance), threads=4)
        site.processes["up"].kill()                    # break something
        site.up().ready()
        sender.send_unknowns_again()
        site.wait_settled()
        return violations(site, journal, Expectation(messages=receiver.messages, redeliveries=1))

    EXPERIMENT = Experiment(name="…", run=run, guards=(Guard(…),), engines=(EMBEDDED, KAFKA))

What is where:

- ``experiment.py``: ``Experiment``, ``World``, ``Engines``, ``run``. All chance comes from
  ``world.chance``; whatever is opened goes through ``world.keep`` (a context manager) and is
  closed at the end. ``world.installation(name, stream=…, database=…)`` takes parts of one's own.
  ``world.short`` asks for a form of a few seconds, for ``make test``.
- ``guards.py``: ``Guard(name, file, old, new)``: a textual mutation of a copy of the source tree.
  Every experiment is run again without each of its guards and must then report a violation, or end
  loudly (``Loud``) where the guard is declared ``loud``. Processes under test therefore run
  ``world.tree`` (``Installation`` sees to it); what runs in this process is never mutated.
- ``processes.py``: ``Process`` (kill, pause, resume, stop), ``wait_until``, ``Loud``.
- ``installation.py``: ``Installation`` (start processes; ``settled``, ``wait_settled``; ``get``),
  ``Tenant``. A program of ``tests`` that must run the tree under test is started as
  ``subprocess.Popen(site.program("tests.faults.children.…"), env=site.environment())``.
- ``journal.py``: ``Journal`` (fsynced) and ``Sender`` (webhook or API, from several threads,
  ``send_unknowns_again``).
- ``content.py``: ``a_story`` (half a year with planted alerts), ``in_batches``, ``shuffled``.
- ``checker.py``: ``violations(installation, journal, Expectation(…))``: everything of design
  section 3, in words; its parts can be asked alone (``lost``, ``effects``, ``stood_still``;
  ``folds.not_a_fold``, ``apart.not_apart``, ``notices.told_wrongly``,
  ``faultless.unlike_faultless``).
- ``parts/``: parts that can be broken. ``children/``: programs that run the tree under test.
"""
