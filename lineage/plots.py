"""The page that `dvc plots show` fills: the chart scripts stand in it, so that it opens without a network.

DVC's own page loads them from elsewhere. `make run` writes this one where .dvc/config names it, out of git's sight.
"""

from pathlib import Path

PAGE = Path(".dvc/tmp/plots.html")
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Plots</title>
<script>
"""
TAIL = """
</script>
<style>
body { font-family: sans-serif; margin: 2rem; }
table { border-collapse: collapse; }
td, th { padding: .3rem .6rem; }
</style>
</head>
<body>
{plot_divs}
</body>
</html>
"""


def page() -> str:
    """The page's template, with `{plot_divs}` where DVC puts the charts."""
    import vl_convert

    script = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return HEAD + script.replace("</script", "<\\/script") + TAIL


def main() -> None:
    """Write the page."""
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
