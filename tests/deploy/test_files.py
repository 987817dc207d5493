"""What is deployed is what is there: every path, user, option and port of images and units."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer.main
import yaml

from config.reader import PROFILES
from config.schema import setting_names
from executor.interfaces.cli import app
from executor.interfaces.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "docker" / "Dockerfile").read_text()
UNITS = sorted((DEPLOY / "systemd").iterdir())
COMPOSE = [DEPLOY / "docker" / name for name in ("compose.yaml", "compose.observability.yaml")]
SETTINGS = {f"EXECUTOR_{name.replace('.', '__').upper()}" for name in setting_names()}
OWN = {"EXECUTOR_PROFILE", "EXECUTOR_IMAGE", "EXECUTOR_DATA"}


def options_of(command):
    found = typer.main.get_command(app).commands[command]
    return {name for each in found.params for name in (*each.opts, *each.secondary_opts)}


def check_words(words):
    """A command line of ours names a command and options that exist."""
    command, *rest = words
    known = options_of(command)
    for word in rest:
        if word.startswith("-"):
            assert word in known, f"executor {command} has no {word}"


def instructions(name):
    lines = DOCKERFILE.replace("\\\n", " ").splitlines()
    return [line.removeprefix(f"{name} ") for line in lines if line.startswith(f"{name} ")]


def test_the_image_copies_what_is_there_and_all_of_what_is_installed():
    copied = {source for line in instructions("COPY") if "--from" not in line for source in line.split()[:-1]}
    for source in copied:
        assert (ROOT / source).exists(), source
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    assert set(packages["packages"]) <= copied
    allowed = {
        line[1:].removesuffix("/**")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line[0] == "!"
    }
    assert copied <= allowed | {"requirements/run.lock"}


def test_the_image_is_pinned_and_runs_as_nobody_special():
    assert re.fullmatch(r"PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+", instructions("ARG")[0])
    assert "--require-hashes" in DOCKERFILE
    (user,) = instructions("USER")
    assert user == "executor"
    assert "useradd" in DOCKERFILE
    assert DOCKERFILE.index("USER ") < DOCKERFILE.index("ENTRYPOINT")
    assert "ADD " not in DOCKERFILE
    health = re.search(r'CMD \["executor", "(\w+)", "(--\w+)"\]', DOCKERFILE)
    check_words(health.groups())


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_compose_mounts_what_is_there_and_says_commands_that_exist(path):
    told = yaml.safe_load(path.read_text())
    for name, service in told["services"].items():
        assert service.get("network_mode") == "host", "the interface is on loopback"
        for volume in service["volumes"]:
            source = volume.rsplit(":/", 1)[0] if volume.count(":") else volume
            source = source.split(":/")[0]
            if source.startswith("../"):
                assert (path.parent / source).exists(), source
        if name in {"executor", "sentinel"}:
            words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in service["command"]]
            check_words(words)
            assert words[2] in PROFILES
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
        else:
            assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), "pinned"
            assert all("0.0.0.0" not in word for word in service.get("command", []))
        for variable in re.findall(r"EXECUTOR_\w+", str(service)):
            assert variable in SETTINGS | OWN


SERVICES = [path for path in UNITS if path.suffix == ".service"]


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_units_name_commands_settings_and_exit_codes_that_exist(path):
    text = path.read_text()
    (start,) = re.findall(r"^ExecStart=\S+/executor (.*)$", text, re.MULTILINE)
    check_words(start.split())
    for variable in re.findall(r"^Environment=(\w+)=", text, re.MULTILINE):
        assert variable in SETTINGS
    prevented = re.findall(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert bool(prevented) == ("Type=oneshot" not in text), "what runs on says what no start can mend"
    names = {ExitCode(int(code)).name for codes in prevented for code in codes.split()}
    assert names <= {"USAGE", "DURABILITY", "ALREADY_RUNNING"}
    assert "ORDERS_MAY_REMAIN" not in names, "a start reads the venue and goes on: it must be tried"
    for document in re.findall(r"^Documentation=file:/opt/executor/(\S+)$", text, re.MULTILINE):
        assert (ROOT / document).is_file()


def test_every_timer_has_its_service():
    timers = [path for path in UNITS if path.suffix == ".timer"]
    assert timers
    for path in timers:
        assert path.with_suffix(".service") in SERVICES
        assert "WantedBy=timers.target" in path.read_text()
    assert {path.suffix for path in UNITS} == {".service", ".timer"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_units(path, tmp_path):
    there = tmp_path / path.name
    there.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.MULTILINE))
    for other in UNITS:
        if other != path:
            (tmp_path / other.name).write_text(
                re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", other.read_text(), flags=re.MULTILINE)
            )
    done = subprocess.run(
        ["systemd-analyze", "verify", str(there)], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_example_settings_are_settings():
    told = tomllib.loads((DEPLOY / "docker" / "settings.example.toml").read_text())
    names = {f"{section}.{name}" for section, values in told.items() for name in values}
    assert names <= set(setting_names())


def test_prometheus_scrapes_the_port_of_the_profiles():
    target = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    (scraped,) = target["scrape_configs"][0]["static_configs"][0]["targets"]
    port = tomllib.loads((ROOT / "config" / "live.toml").read_text())["control"]["port"]
    assert scraped == f"127.0.0.1:{port}"
