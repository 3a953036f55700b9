"""The shells themselves complete command lines, with what `lurkbot completion` prints."""

import os
import pty
import re
import select
import shutil
import subprocess

import pytest

from gateway import LURKBOT, wait_for

needs = {shell: pytest.mark.skipif(shutil.which(shell) is None, reason=f"there is no {shell}")
         for shell in ("zsh", "fish")}


def script(shell):
    return subprocess.run([LURKBOT, "completion", shell], check=True, capture_output=True,
                          text=True).stdout


def bash(line, folder):
    """What bash offers at the end of the line: its words are split as it splits them itself."""
    driver = r'''
        source lurkbot.bash
        set -o noglob
        COMP_LINE=$1 COMP_POINT=${#1}
        read -ra words <<<"${1//=/ = }"
        case $1 in *' ') words+=('') ;; esac
        COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
        type _lurkbot >/dev/null && complete -p lurkbot >/dev/null || exit 1
        _lurkbot lurkbot
        printf '%s\n' "${COMPREPLY[@]}"
    '''
    (folder / "lurkbot.bash").write_text(script("bash"))
    done = subprocess.run(["bash", "--norc", "-c", driver, "bash", line], cwd=folder, check=True,
                          capture_output=True, text=True)
    assert done.stderr == ""
    return set(done.stdout.split())


def fish(line, folder):
    (folder / "lurkbot.fish").write_text(script("fish"))
    done = subprocess.run(
        ["fish", "--private", "--no-config", "-c",
         'source lurkbot.fish; complete --do-complete=$argv[1]', line],
        cwd=folder, check=True, capture_output=True, text=True,
        env={**os.environ, "HOME": str(folder)})
    assert done.stderr == ""
    return {row.split("\t")[0].rpartition("=")[2] if "=" in line.split(" ")[-1] else row.split("\t")[0]
            for row in done.stdout.splitlines()}


def zsh(line, folder):
    """A zsh at a terminal of its own: it completes only where somebody types. Ctrl-X d lists what the
    completion adds, by a compadd that writes it down."""
    functions = folder / "functions"
    functions.mkdir(exist_ok=True)
    (functions / "_lurkbot").write_text(script("zsh"))
    (folder / "lurkbot").write_text("#!/bin/sh\n")
    (folder / ".zshrc").write_text(r'''
        PS1='READY> '
        fpath=(%(folder)s/functions $fpath)
        autoload -Uz compinit && compinit -u -D
        compadd() {
            local -a found
            builtin compadd -O found "$@"
            print -rl -- $found >>%(folder)s/found
            builtin compadd "$@"
        }
        finish() { zle complete-word; print DONE >>%(folder)s/found; }
        zle -N finish
        bindkey '^I' complete-word '^Xf' finish
        zstyle ':completion:*' list-prompt ''
        LISTMAX=10000
    ''' % {"folder": folder})
    (folder / "found").write_text("")
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        os.execvpe("zsh", ["zsh", "-i"], {**os.environ, "ZDOTDIR": str(folder), "TERM": "dumb"})
    try:
        read_until(fd, b"READY> ")
        os.write(fd, line.encode() + b"\x18f")
        wait_for(lambda: read_some(fd, 0.01) and "DONE" in (folder / "found").read_text(),
                 f"zsh to complete {line!r}")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
    return set((folder / "found").read_text().split()) - {"DONE"}


def read_some(fd, patience):
    """What the terminal shows next, or b" " when that is nothing."""
    ready, _, _ = select.select([fd], [], [], patience)
    return os.read(fd, 65536) if ready else b" "


def read_until(fd, text):
    seen = b""

    def is_there():
        nonlocal seen
        seen += read_some(fd, 0.01)
        return text in seen
    wait_for(is_there, f"{text} at the terminal")


@pytest.fixture(params=["bash", pytest.param("zsh", marks=needs["zsh"]),
                        pytest.param("fish", marks=needs["fish"])])
def offers(request, tmp_path):
    (tmp_path / "some.json").write_text("")
    (tmp_path / "folder").mkdir()
    return lambda line: globals()[request.param](line, tmp_path)


def words_of(prefix):
    """The next words of the verbs that begin so, as the program's own help lists them."""
    listed = subprocess.run([LURKBOT, *prefix.split(), "--help"], check=True, capture_output=True,
                            text=True).stdout
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)*)  ", listed, re.M)
    begin = prefix.split()
    return {verb.split()[len(begin)] for verb in verbs if verb.split()[:len(begin)] == begin}


@pytest.mark.parametrize("prefix", ["", "gateway", "gateway config", "gateway token", "daemon"])
def test_words_of_verbs(offers, prefix):
    assert words_of(prefix)
    assert offers(f"lurkbot {prefix} ".replace("  ", " ")) == words_of(prefix)


def test_a_word_that_has_begun(offers):
    assert offers("lurkbot gateway st") == {"start", "stop", "status"}
    assert offers("lurkbot gateway config sh") == {"show"}


def test_options_are_those_of_the_verb(offers):
    assert offers("lurkbot gateway start --log-") == {
        "--log-file", "--log-level", "--log-format", "--log-max-bytes", "--log-keep"}
    assert offers("lurkbot daemon install --") >= {"--port", "--bind", "--workspace", "--config"}
    assert not offers("lurkbot gateway status --log-")


@pytest.mark.parametrize("line, words", [
    ("lurkbot gateway start --log-level ", {"debug", "info", "warning", "error"}),
    ("lurkbot gateway start --log-level=", {"debug", "info", "warning", "error"}),
    ("lurkbot gateway start --log-level=de", {"debug"}),
    ("lurkbot gateway restart --port 1 --log-format j", {"json"}),
    ("lurkbot daemon install --bind ", {"loopback", "lan"}),
    ("lurkbot completion ", {"bash", "zsh", "fish"}),
])
def test_values(offers, line, words):
    assert offers(line) == words


def test_files_and_folders(offers):
    assert "some.json" in offers("lurkbot gateway start --config so")
    found = {word.rstrip("/") for word in offers("lurkbot daemon install --workspace fo")}
    assert found == {"folder"}


def test_methods(offers):
    found = offers("lurkbot gateway call ")
    assert {"status", "events.publish", "connections.list"} <= found


def test_every_option_of_every_verb(tmp_path):
    """What help shows, bash offers, and nothing else."""
    listed = subprocess.run([LURKBOT, "--help"], capture_output=True, text=True).stdout
    verbs = re.findall(r"^  ([a-z]+(?: [a-z]+)*)  ", listed, re.M)
    assert len(verbs) > 20
    for verb in verbs:
        shown = subprocess.run([LURKBOT, *verb.split(), "--help"], capture_output=True, text=True).stdout
        options = set(re.findall(r"^  (?:-[a-z], )?(--[a-z0-9-]+)", shown, re.M))
        assert options == bash(f"lurkbot {verb} --", tmp_path), verb


def test_no_such_shell():
    done = subprocess.run([LURKBOT, "completion", "csh"], capture_output=True, text=True)
    assert done.returncode == 2 and "must be bash, zsh or fish" in done.stderr
