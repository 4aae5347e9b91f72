"""Commit messages name the artifacts that their commits touch, whichever way the commit is made."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.hooks.messaging import IRIS, ROSE, WRITES, editor, message, seen, stage, watch
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

# --- without an editor


@pytest.mark.parametrize("options", [("-qm", "Add"), ("-qF", "-"), ("-qam", "Add"), ("-qm", "Add", "datasets")])
def test_a_message_given_at_once_needs_no_python(repo: RepositoryBuilder, options: tuple[str, ...]) -> None:
    started = watch(repo)
    stage(repo, "iris")
    repo.git("commit", *options, stdin=b"Add\n")
    assert message(repo) == ["Add", "", IRIS]
    assert not started.exists()


def test_nothing_of_ours_nothing_said(repo: RepositoryBuilder) -> None:
    started = watch(repo)
    repo.commit("Something else", {"notes.txt": "y\n"})
    repo.commit("Settings only", artifacts.workspace(settings={"signing": {"required": False}}))
    assert message(repo) == ["Settings only"]
    assert message(repo, "HEAD^") == ["Something else"]
    assert not started.exists()


def test_other_trailers_stay_in_one_block(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qsm", "Add", "-m", "Because.\n\n---\nnot a patch", "-m", "Reviewed-by: B <b@c.org>")
    assert message(repo)[-3:] == ["Reviewed-by: B <b@c.org>", "Signed-off-by: Ada Tester <ada@example.org>", IRIS]
    assert "Strata-Dataset" in repo.git("show", "-s", "--format=%(trailers:key=Strata-Dataset)")


@pytest.mark.parametrize("text", ["Fix\n\n#12 is done", "# Heading\n\nText", "Fix\n\nStrata-ish words"])
def test_lines_that_look_like_comments_are_kept(repo: RepositoryBuilder, text: str) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qm", text)
    assert message(repo) == [*text.split("\n"), "", IRIS]


def test_bytes_that_are_no_utf8_survive(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qF", "-", stdin=b"caf\xe9\n\n#1\n")
    assert message(repo) == ["caf\xe9", "", "#1", "", IRIS]  # git itself makes UTF-8 of such a message


def test_many_are_counted(repo: RepositoryBuilder) -> None:
    stage(repo, *(f"set{number}" for number in range(23)))
    repo.git("commit", "-qm", "Add many")
    assert len(message(repo)) == 2 + 20 + 1
    assert message(repo)[-1] == "Strata-More: 3 artifacts"


def test_every_kind_and_what_is_taken_away(repo: RepositoryBuilder) -> None:
    """Past the judging hooks, of which `--no-verify` keeps out all but this one."""
    repo.story()
    repo.prompt()
    repo.commit("Story", {"services/scoring/README.md": "x\n"}, "--no-verify")
    assert message(repo)[2:] == [
        IRIS, f"Strata-Run: {artifacts.RUN}", "Strata-Model: models/forest@v1",
        "Strata-Prompt: prompts/summarise@v1", "Strata-Service: services/scoring",
    ]  # fmt: skip
    repo.git("rm", "-rq", "prompts")
    repo.git("commit", "-qm", "Take it back")
    assert message(repo)[2:] == ["Strata-Prompt: prompts/summarise@v1"]


def test_the_settings_turn_it_off(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.workspace(settings={"commits": {"trailers": False}}))
    stage(repo, "iris")
    repo.git("commit", "-qm", "Add")
    stage(repo, "rose")
    repo.git("commit", "-qm", "Add")
    repo.git("commit", "-q", "--amend", "-m", "Again")
    assert (message(repo), message(repo, "HEAD^")) == (["Again"], ["Add"])


def test_settings_of_trailers_run_nothing(repo: RepositoryBuilder) -> None:
    """`git interpret-trailers` would run `trailer.*.cmd` of any configuration it reads."""
    repo.git("config", "trailer.evil.key", "Evil")
    repo.git("config", "trailer.evil.cmd", "echo ran >&2; echo ran")
    repo.git("config", "trailer.separators", "%")
    for text in ("Add", "Fix\n\n#12"):
        stage(repo, f"set{len(text)}")
        answer = repo.try_git("commit", "-qm", text).expect(0)
        assert "ran" not in answer.err + "".join(message(repo))
        assert message(repo)[-1].startswith("Strata-Dataset: ")


def test_the_first_commit_and_a_linked_worktree(builder: Builder) -> None:
    made = builder().workspace().install_hooks()
    stage(made, "iris")
    made.git("commit", "-qm", "First")
    linked = made.worktree("side")
    stage(linked, "rose")
    linked.git("commit", "-qm", "Second", "datasets/rose")
    assert (message(made), message(linked)) == (["First", "", IRIS], ["Second", "", ROSE])


def test_what_an_earlier_commit_left_is_not_used(repo: RepositoryBuilder) -> None:
    """The commit was refused after the trailers were computed; the next one is of something else, past the hooks."""
    stage(repo, "iris")
    repo.git("commit", "-qm", "x\n\nStrata-Model: models/none@v1", "--no-verify")
    repo.git("reset", "-q", "--soft", "HEAD^")
    assert repo.try_git("commit", "-qm", "x\n\nStrata-Model: models/none@v1").code == 1
    assert (repo.path / ".git/strata/trailers").read_text().endswith(f"{IRIS}\n")
    repo.git("rm", "-rq", "--cached", "datasets")
    stage_notes = {"notes.txt": "z\n"}
    repo.write(stage_notes)
    repo.git("add", "notes.txt")
    repo.git("commit", "-qnm", "Notes")
    assert message(repo) == ["Notes"]


@pytest.mark.parametrize(
    "text",
    ["One line", "Two\n\nparagraphs\nof text", "Fix\n\nSee-also: x\nnot a trailer\nnor this\nnor that",
     "Fix\n\nReviewed-by: B <b@c.org>\n continued\n(cherry picked from commit 1234)", "Trailing-like: subject",
     "é\n\nü: ö"],
)  # fmt: skip
def test_shell_and_python_put_them_in_the_same_place(repo: RepositoryBuilder, text: str) -> None:
    """Past the commit hook, which leaves trailers for the shell, Python computes them anew."""
    stage(repo, "iris")
    repo.git("commit", "-qm", text)
    by_shell = message(repo)
    repo.git("reset", "-q", "--soft", "HEAD^")
    repo.git("commit", "-qnm", text)
    assert by_shell == message(repo)
    assert by_shell[-1] == IRIS


# --- with an editor


def test_quitting_without_a_word_gives_the_commit_up(repo: RepositoryBuilder) -> None:
    head = repo.head
    stage(repo, "iris")
    answer = repo.try_git("commit", env=editor(repo, ""))
    assert answer.code == 1
    assert "empty commit message" in answer.err
    assert repo.head == head
    assert f"#\t{IRIS}" in seen(repo)


@pytest.mark.parametrize(
    ("option", "comment"),
    [("x.y=z", "#"), ("core.commentChar=;", ";"), ("core.commentChar=auto", "#"), ("commit.cleanup=scissors", "#"),
     ("commit.cleanup=whitespace", "#"), ("commit.verbose=true", "#"), ("commit.status=false", "#")],
)  # fmt: skip
def test_trailers_wait_until_the_message_is_written(repo: RepositoryBuilder, option: str, comment: str) -> None:
    stage(repo, "iris")
    repo.git("-c", option, "commit", "-q", env=editor(repo, WRITES))
    assert f"{comment}\t{IRIS}" in seen(repo)
    said = [line for line in message(repo) if not line.startswith("#")]  # `whitespace` keeps git's own comments
    assert [line for line in said if line] == ["Written", IRIS]
    assert not any("git-strata" in line for line in message(repo))


def test_a_line_taken_out_is_left_out(repo: RepositoryBuilder) -> None:
    stage(repo, "iris", "rose")
    repo.git("commit", "-q", env=editor(repo, WRITES + "; sed -i /iris/d $1"))
    assert message(repo) == ["Written", "", ROSE]


def test_a_template_left_as_it_is_gives_the_commit_up(repo: RepositoryBuilder) -> None:
    repo.write({"template": "Subject\n\nWhy: \n"})
    stage(repo, "iris")
    assert repo.try_git("commit", "-t", "template", env=editor(repo, "")).code == 1
    repo.git("commit", "-qt", "template", env=editor(repo, "sed -i s/Subject/Words/ $1"))
    assert message(repo) == ["Words", "", "Why:", IRIS]


def test_a_message_to_be_edited_shows_them_at_once(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qvem", "Add", env=editor(repo, ""))
    assert f"Add\n\n{IRIS}\n\n# Please enter" in seen(repo)
    assert message(repo) == ["Add", "", IRIS]


@pytest.mark.parametrize("way", [":", "true"])
def test_an_editor_that_does_nothing(repo: RepositoryBuilder, way: str) -> None:
    """`GIT_EDITOR=:` is also how git says that none opens."""
    stage(repo, "iris")
    assert repo.try_git("commit", "-q", env={"GIT_EDITOR": way}).code == 1


def test_everything_but_the_trailers_deleted_gives_the_commit_up(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    answer = repo.try_git("commit", "-em", "Add", env=editor(repo, "sed -i /Add/d $1"))
    assert answer.code == 1
    assert "empty commit message" in answer.err


# --- what is said must be true


@pytest.mark.parametrize(
    ("line", "rule"),
    [("Strata-Model: models/forest@v7", "STR-K002"), ("Strata-Model: forest", "STR-K001"),
     ("strata-dataset: datasets/iris@v2", "STR-K002")],
)  # fmt: skip
def test_a_forged_trailer_is_refused(repo: RepositoryBuilder, line: str, rule: str) -> None:
    head = repo.head
    stage(repo, "iris")
    answer = repo.try_git("commit", "-qm", f"Add\n\n{line}")
    assert answer.code == 1
    assert rule in answer.err
    assert "What you wrote is in" in answer.err
    assert repo.head == head


def test_what_is_there_may_be_named(repo: RepositoryBuilder) -> None:
    stage(repo, "iris")
    repo.git("commit", "-qm", "Add")
    stage(repo, "rose")
    repo.git("commit", "-qm", f"More\n\n{IRIS}")
    assert message(repo) == ["More", "", IRIS, ROSE]
    repo.commit(f"About it\n\n{IRIS}", {"notes.txt": "about\n"})
    repo.git("rm", "-rq", "datasets/iris")
    repo.git("commit", "-qm", f"Away\n\n{IRIS}")
    assert message(repo) == ["Away", "", IRIS]


def test_an_unknown_name_is_told_and_passes(repo: RepositoryBuilder) -> None:
    repo.write({"notes.txt": "z\n"})
    assert "STR-K003" in repo.try_git("commit", "-qam", "x\n\nStrata-Datasets: y").expect(0).err


def test_the_diff_below_the_scissors_says_nothing(repo: RepositoryBuilder) -> None:
    repo.write({"notes.txt": "x\nStrata-Model: models/none@v1\n"})
    repo.git("commit", "-qav", env=editor(repo, WRITES))
    assert message(repo) == ["Written"]


# --- our own inability


def test_without_the_program_the_commit_goes_on(repo: RepositoryBuilder) -> None:
    for name in ("prepare-commit-msg", "commit-msg"):
        hook = repo.path / ".git/hooks" / name
        hook.write_text("\n".join("hook=/none" if x.startswith("hook=") else x for x in hook.read_text().split("\n")))
    places = repo.environ["PATH"].split(":")
    path = ":".join(place for place in places if not Path(place, "git-strata-hook").exists())
    stage(repo, "iris")
    answer = repo.try_git("commit", "-qnm", f"Add\n\n#1\n{IRIS}", env={"PATH": path}).expect(0)
    assert answer.err.splitlines() == [
        "git-strata: git-strata-hook was not found; this commit's message does not name its artifacts."
    ]
    answer = repo.try_git("commit", "-q", "--amend", "-m", f"Add\n\n#1\n{IRIS}", env={"PATH": path}).expect(0)
    assert "git-strata: git-strata-hook was not found; what the message says" in answer.err


def test_a_message_that_cannot_be_read_is_a_sentence_and_no_refusal(
    repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from strata_git.hooks import entry

    stage(repo, "iris")
    monkeypatch.chdir(repo.path)
    assert entry.main(["prepare-commit-msg", "no/such\x1bfile", "message"]) == 0
    assert "could not be read" in (said := capsys.readouterr().err)
    assert "\x1b" not in said


def test_with_next_to_nothing_on_the_path(repo: RepositoryBuilder, tmp_path: Path) -> None:
    """As a graphical program may start git: shell words and git alone. Nothing breaks, nothing passes unseen."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/git").symlink_to(str(shutil.which("git")))
    bare = {"PATH": str(tmp_path / "bin")}
    stage(repo, "iris")
    repo.git("commit", "-qm", "Add", env=bare)
    assert message(repo) == ["Add", "", IRIS]
    repo.write({"notes.txt": "y\n"})
    assert "STR-K002" in repo.try_git("commit", "-qam", "x\n\nStrata-Model: models/none@v1", env=bare).err
