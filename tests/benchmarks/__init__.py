"""What the project takes and what its deduplication finds, measured.

A part is a module with a docstring, which the page shows, and `rows(folder)`, which yields what was measured, the value
and the goal. The folder is kept while all parts run; a part that cannot run here raises `corpus.Missing`. One that gives
medians has `ROUNDS`.
"""

Row = tuple[str, str, str]
