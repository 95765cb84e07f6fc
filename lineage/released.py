"""Whether a release is still what it was: every byte against the SHA-256 in its manifest, and who signed its tag."""

from lineage import manifest, repository, version
from lineage.copies import copy_of
from lineage.damage import Damage
from lineage.manifest import Manifest
from lineage.places import Place, stores, tree
from lineage.project import inputs, outputs, overlap
from lineage.release import Release
from lineage.verify import SIGNATURE, Check, check

BUILT_AGAIN = "the files here were built since the release; commit them, or `git checkout dvc.lock` and `dvc checkout`"
ACCIDENT = (
    "the tag is not signed, so this protects against accident only: whoever can write here can write a manifest too; "
    "sign with `dataset release --sign`"
)


def verify_release(release: Release, remote_name: str | None = None) -> list[Check]:
    """Every file of a release hashed again wherever it lies, dvc.lock, and the tag's signature."""
    held = manifest.read(release.commit)
    sums = {path: file.sha256 for path, file in held.files.items()}
    files = tree(release.commit)
    here = repository.commit("HEAD") == release.commit
    same = version.in_git(version.LOCK, None) == version.in_git(version.LOCK, release.commit)
    places = [*stores(remote_name), *([tree()] if here and same else []), files]
    named = [*outputs(release.commit), *inputs(release.commit)]
    checks = [signature(release), lock(held, files), *unknown(held, {output.path for output in named})]
    if here and not same:
        checks.append(Check(version.LOCK, "workspace", "not checkable", BUILT_AGAIN))
    for output in named:
        looked_at = places[:-1] if output.cached else [files]
        checks += [check(output, place, places, sums) for place in looked_at]
    return checks


def lock(held: Manifest, files: Place) -> Check:
    """Whether dvc.lock is that of the manifest."""
    copy = copy_of(files, version.LOCK)
    return told(version.LOCK, "git", copy.sha256 == held.lock, "has not the SHA-256 of the manifest")


def unknown(held: Manifest, named: set[str]) -> list[Check]:
    """What the manifest names and dvc.lock does not."""
    lost = [path for path in held.files if not any(overlap(path, each) for each in named)]
    return [told(path, "git", False, "the manifest names it, dvc.lock does not") for path in lost]


def told(path: str, place: str, right: bool, wrong: str) -> Check:
    """A check that is one comparison."""
    return Check(path, place, "verified") if right else Check(path, place, "failed", damage=[Damage(path, wrong)])


def signature(release: Release) -> Check:
    """Who signed the tag, by the keys and allowed signers that git's user has set; nothing in the repository is asked."""
    result = Check(release.tag, SIGNATURE, "not checkable", ACCIDENT)
    if not release.signed:
        return result
    done = repository.run("git", "verify-tag", "--raw", f"refs/tags/{release.tag}")
    said = " ".join((done.stdout + done.stderr).decode("utf-8", "replace").split())
    if done.returncode == 0:
        result.verdict, result.reason = "verified", who(said)
    elif "allowedSignersFile" in said:
        result.reason = "signed, and nobody is trusted here; `git config --global gpg.ssh.allowedSignersFile FILE`"
    elif "No principal matched" in said and "incorrect" not in said:
        result.verdict, result.reason = "failed", f"signed by somebody who is no allowed signer here: {said}"
    elif "NO_PUBKEY" in said:
        result.reason = "signed with a key that is not here; `gpg --import FILE` its public half, if you trust it"
    else:
        result.verdict, result.reason = "failed", f"the signature is not good: {said}"
    return result


def who(said: str) -> str:
    """The signer, from what git says of a good signature."""
    return next((part for part in said.split('"') if "@" in part), said)
