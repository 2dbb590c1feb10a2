"""The secret key: made once, and the only one that a database starts with."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.config import Settings, load
from shared.errors import ConfigurationError
from shared.storage.engine import Database
from shared.storage.sealing import KEY_FILE, load_secret_key
from tests.support.databases import DIALECTS, migrated, url_of
from tests.support.together import run_together

ONE, OTHER = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


@pytest.fixture(params=DIALECTS)
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Yield a migrated database."""
    with migrated(url_of(request, tmp_path)) as opened:
        yield opened


def settings(folder: Path, key: str = "") -> Settings:
    """Return settings with a data folder, and a key where one is given."""
    return load({"RAPPORT_DATA_DIR": str(folder), "RAPPORT_SECRET_KEY": key})


def test_the_embedded_key_is_made_once(database: Database, tmp_path: Path) -> None:
    """Without a key in the environment one is made, kept for its owner alone, and found again."""
    made = load_secret_key(settings(tmp_path), database)
    assert len(made) == 32
    assert load_secret_key(settings(tmp_path), database) == made
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("secret*")] == [KEY_FILE]


def test_another_key_stops_the_start(database: Database, tmp_path: Path) -> None:
    """A database that was sealed with one key starts with no other, whichever way it comes."""
    load_secret_key(settings(tmp_path, ONE), database)
    assert load_secret_key(settings(tmp_path, ONE), database) == bytes([1]) * 32
    with pytest.raises(ConfigurationError, match=r"RAPPORT_SECRET_KEY.*another secret key"):
        load_secret_key(settings(tmp_path, OTHER), database)
    (tmp_path / KEY_FILE).write_text(OTHER)
    with pytest.raises(ConfigurationError, match=r"secret\.key.*another secret key"):
        load_secret_key(settings(tmp_path), database)


def test_a_lost_key_is_not_replaced(database: Database, tmp_path: Path) -> None:
    """When the file is gone, no new key is made over a database that the old one sealed."""
    load_secret_key(settings(tmp_path), database)
    (tmp_path / KEY_FILE).unlink()
    with pytest.raises(ConfigurationError, match="backup"):
        load_secret_key(settings(tmp_path), database)
    assert not (tmp_path / KEY_FILE).exists()


@pytest.mark.parametrize("content", [b"", b"short", b"\xff\xfe", base64.b64encode(b"x" * 31)])
def test_a_damaged_key_file_is_said(database: Database, tmp_path: Path, content: bytes) -> None:
    """A file that holds no key is a configuration error, not a crash."""
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(ConfigurationError, match="32 bytes"):
        load_secret_key(settings(tmp_path), database)


def test_processes_that_start_together_agree_on_one_key(
    database: Database, tmp_path: Path
) -> None:
    """Of several processes that find no key, one makes it and all use it."""
    script = (
        "import sys\n"
        "from shared.config import load\n"
        "from shared.storage.engine import Database\n"
        "from shared.storage.sealing import load_secret_key\n"
        "settings, database = load({'RAPPORT_DATA_DIR': sys.argv[1]}), Database(sys.argv[2])\n"
        "# go\n"
        "print(load_secret_key(settings, database).hex())\n"
    )
    assert len(set(run_together(script, [str(tmp_path), database.url], 6))) == 1
