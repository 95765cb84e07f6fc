"""`dataset start` leaves a working project without the sample, and `dataset status` says what it needs next."""

import json
import os
import shutil

import pytest

from tests.conftest import REPOSITORY, run, sample_project

NAMES = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
GIT = NAMES | {"GIT_CONFIG_GLOBAL": os.devnull}
