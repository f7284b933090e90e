"""What a run of the mutants tells: a table for people, one for docs/proof.md, and one of JSON."""

from pathlib import Path

from rich.table import Table
from tests.mutants.trial import Trial

BEGIN, END = "<!-- mutants: begin -->", "<!-- mutants: end -->"


def table_of(trials: list[Trial]) -> Table:
    """For a terminal."""
    table = Table("mutant", "promise", "caught by", "seeds needed", "seconds", title="Mutants")
    for each in trials:
        table.add_row(
            each.mutant.name,
            each.mutant.promise,
            each.caught_by or "[red]nobody[/]",
            str(each.seeds) if each.caught else "-",
            f"{each.seconds:.1f}",
        )
    return table


def explained(trial: Trial) -> list[str]:
    """Why a mutant was not caught: what was at stake how often, and what else was said."""
    name = trial.mutant.name
    if trial.failure:
        return [f"{name}: {trial.failure}"]
    lines = [f"{name}: nobody of {', '.join(trial.mutant.by)} saw it in {trial.seeds} seeds"]
    at_stake = ", ".join(f"{promise} in {n}" for promise, n in sorted(trial.stakes.items()))
    lines.append(f"  at stake: {at_stake or 'nothing'}")
    for name, times in trial.others.most_common():
        lines.append(f"  does not count, {times} times: {trial.samples[name][:200]}")
    return lines


def summary(trials: list[Trial]) -> dict[str, int]:
    """The last line of a run."""
    return {"mutants": len(trials), "caught": sum(each.caught for each in trials)}


def markdown(trials: list[Trial]) -> str:
    """The table of docs/proof.md."""
    rows = [
        f"| `{each.mutant.name}` | {each.mutant.promise} | {each.caught_by or 'nobody'} |"
        f" {each.seeds if each.caught else '-'} | {each.mutant.rule} |"
        for each in trials
    ]
    head = "| mutant | promise | caught by | seeds needed | what is taken out, and why it matters |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def put_markdown(document: Path, trials: list[Trial]) -> None:
    """Puts the table between the marks of a document."""
    text = document.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document} has no place for the table")
    document.write_text(f"{before}{BEGIN}\n\n{markdown(trials)}\n\n{END}{after}")
