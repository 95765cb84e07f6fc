"""Servers that a remote can be on, on loopback: S3 by rclone, SSH by asyncssh; each serves a folder."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import command, until

USER, PASSWORD = "ada", "correct horse"


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def object_store(
    folder: Path, host: str = "127.0.0.1", before: tuple[str, ...] = (), port: int = 0, options: tuple[str, ...] = ()
) -> Iterator[dict[str, str]]:
    """An S3 server with an empty bucket below `folder`; gives the environment in which it is used."""
    (folder / "served/bucket").mkdir(parents=True, exist_ok=True)
    at = f"{host}:{port or free_port()}"
    log = folder / "s3.log"
    log.unlink(missing_ok=True)
    words = ("rclone", "serve", "s3", "-v", f"--addr={at}", "--auth-key=reader,secretsecret", *options, "served")
    with command(*before, *words, log=log, cwd=folder):
        until(lambda: b"Starting s3 server" in log.read_bytes())
        yield {
            "AWS_ACCESS_KEY_ID": "reader",
            "AWS_SECRET_ACCESS_KEY": "secretsecret",
            "AWS_ENDPOINT_URL": f"http://{at}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


@contextmanager
def ssh_server(folder: Path, port: int = 0) -> Iterator[int]:
    """An SSH server that serves `folder` by SFTP to USER with PASSWORD; gives its port, and writes `known_hosts`."""
    (folder / "served").mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    log = folder / "ssh.log"
    log.unlink(missing_ok=True)
    with command(sys.executable, "-m", "tests.servers", str(folder), str(port), log=log, cwd=folder):
        until(lambda: b"serving" in log.read_bytes())
        yield port


async def serve(folder: Path, port: int) -> None:
    """Serve until the end."""
    import asyncssh

    class Server(asyncssh.SSHServer):
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    file = folder / "host_key"
    if not file.is_file():
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(file))
        public = key.export_public_key().decode()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
    await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=Server,
        server_host_keys=[str(file)],
        sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=str(folder / "served").encode()),
    )
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
