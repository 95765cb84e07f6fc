"""A difference as one page that opens anywhere and asks nothing of the network: see `stages/reporting/page.py`."""

from pathlib import Path

from lineage.diff import Diff
from lineage.difference.sections import explanation, headline, sections, title
from stages.reporting.page import FOLDER as REPORT
from stages.reporting.page import digest, seen


def page(diff: Diff) -> str:
    """The page, with the policy that allows its own style and nothing else."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=seen,
    )
    style = (REPORT / "report.css").read_text("utf-8")
    policy = f"default-src 'none'; style-src '{digest(style)}'; base-uri 'none'; form-action 'none'"
    return environment.get_template("diff.html.j2").render(
        diff=diff,
        headline=headline(diff),
        sections=list(sections(diff)),
        shown=[(title(row), explanation(row), row.text) for row in diff.rows if row.text],
        style=Markup(style),  # noqa: S704 - a file of this project
        policy=Markup(policy),  # noqa: S704
    )
