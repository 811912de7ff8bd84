"""What can go wrong while an environment is made, and the sentence that a person needs then.

A table, read from the top: the first pattern that an installer's words match names the failure.
Installers report one trouble in many lines, so the causes stand above their consequences.
"""

import errno
import re
import signal
from dataclasses import dataclass

from ...core.errors import ResourceError, TerraweaveError

_FLAGS = re.IGNORECASE | re.MULTILINE


class SetupError(TerraweaveError):
    """The environment could not be made; `kind` is the class of the failure, for scripts."""

    exit_code = 6

    def __init__(self, kind: str, text: str) -> None:
        """`kind` is a key of `FAILURES` or a word of the check that refused."""
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Failure:
    """One class of failure: how installers say it, and what we say."""

    kind: str
    pattern: str
    sentence: str

    def found(self, text: str) -> "re.Match[str] | None":
        """The place where `text` says it."""
        return re.search(self.pattern, text, _FLAGS)


_FAILURES = (
    Failure(
        "disk_full",
        r"No space left on device|Errno 28|os error 28|not enough space on the disk|os error 112"
        r"|WinError 112|Disk quota exceeded|Errno 122",
        "The disk is full. Free some space where the QGIS profile and the temporary folder lie, "
        "and run the set-up again; what was downloaded is kept.",
    ),
    Failure(
        "proxy_authentication",
        r"407 Proxy Authentication|Tunnel connection failed: 407|\b407\b.*proxy|proxy.*\b407\b",
        "The proxy asks for a user name and password. Enter them in QGIS under Settings, Options, "
        "Network, and run the set-up again.",
    ),
    Failure(
        "tls",
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed|invalid peer certificate"
        r"|SSLCertVerificationError|SSL: |UnknownIssuer|tlsv1 alert|TLS handshake",
        "The encrypted connection was not trusted. Where a company's firewall signs connections, "
        "add its certificate to the authorities in QGIS (Settings, Options, Authentication) or to "
        "those of the system, and run the set-up again; check the clock of the computer too.",
    ),
    Failure(
        "insecure_index",
        r"is not a trusted or secure host",
        "The package index is not encrypted, so its packages are not taken. Give an address "
        "beginning with https.",
    ),
    Failure(
        "name_resolution",
        r"Name or service not known|Temporary failure in name resolution|getaddrinfo failed"
        r"|nodename nor servname|No address associated with hostname|dns error"
        r"|failed to lookup address",
        "The name of the package index could not be looked up. Check the connection to the "
        "internet, and the proxy in QGIS's network settings; or use a folder of wheels (WHEELS).",
    ),
    Failure(
        "proxy",
        r"Cannot connect to proxy|ProxyError|Tunnel connection failed|proxy error",
        "The proxy did not let the connection through. Check the proxy in QGIS under Settings, "
        "Options, Network, or use a folder of wheels (WHEELS).",
    ),
    Failure(
        "no_network",
        r"Connection refused|Network is unreachable|No route to host|Connection reset"
        r"|ConnectTimeoutError|ReadTimeoutError|timed out|NewConnectionError|RemoteDisconnected"
        r"|not enough bytes were received|IncompleteRead|Connection aborted|tcp connect error"
        r"|error sending request"
        r"|WinError 1006[015]|Failed to establish a new connection|Broken pipe",
        "The package index could not be reached. Check the connection to the internet, a firewall, "
        "and the proxy in QGIS's network settings; or use a folder of wheels (WHEELS).",
    ),
    Failure(
        "tampered",
        r"DO NOT MATCH THE HASHES|Hash mismatch for|hashes? mismatch|HashMismatch",
        "A downloaded package is not the one that was tested: its hash differs from the lock. "
        "Nothing of it was installed. Try again; if it stays so, a mirror or proxy changes files: "
        "ask who runs it.",
    ),
    Failure(
        "damaged",
        r"BadZipFile|is an invalid wheel|has an invalid wheel|Failed to extract|invalid zip"
        r"|zlib\.error|Error -3 while decompressing",
        "A package arrived damaged. Run the set-up again; what is whole is kept.",
    ),
    Failure(
        "file_locked",
        r"WinError 32|being used by another process|os error 32\b|WinError 5\b.*\.(pyd|dll|exe)"
        r"|Text file busy|Errno 26",
        "A file of the environment is in use by another program. Close other QGIS windows and "
        "running jobs, let the virus scanner finish, and run the set-up again.",
    ),
    Failure(
        "permission",
        r"Permission denied|PermissionError|Access is denied|WinError 5\b|Errno 13|os error 13"
        r"|Read-only file system|Errno 30|Operation not permitted|Errno 1\b",
        "A file or folder may not be written. Check the rights of the QGIS profile's folder, or "
        "ask your administrator whether programs may be installed below it.",
    ),
    Failure(
        "long_path",
        r"WinError 206|filename or extension is too long|File name too long|Errno 36|WinError 3\b",
        "A path became too long for the system. Use a QGIS profile in a folder with a shorter "
        "name, or allow long paths in Windows.",
    ),
    Failure(
        "system_library",
        r"DLL load failed|WinError 126|WinError 127|WinError 1114|vcruntime|msvcp140"
        r"|cannot open shared object file|Library not loaded|GLIBC_[0-9.]+'? not found"
        r"|GLIBCXX_[0-9.]+'? not found|Error loading \"?.*\.dll",
        "A library of the system is missing or too old. On Windows, install the newest Microsoft "
        "Visual C++ Redistributable (x64); on Linux, the library that the log names; then run the "
        "set-up again.",
    ),
    Failure(
        "unsuitable_python",
        r"requires a different Python|is not a supported wheel on this platform"
        r"|requires-python|Requires-Python|No module named '?(venv|ensurepip)"
        r"|ensurepip is not\s+available|virtual environment was not created successfully",
        "This Python cannot be used for the worker. Name another one in the parameter PYTHON, or "
        "install what the log asks for.",
    ),
    Failure(
        "resolver",
        r"ResolutionImpossible|conflicting dependencies|No matching distribution found"
        r"|Could not find a version|requirements are unsatisfiable|No solution found"
        r"|In --require-hashes mode, all requirements must",
        "The package index does not offer what the lock asks for. If an index of your own is set "
        "for pip, it lacks a package; use the public one, or a folder of wheels (WHEELS).",
    ),
    Failure(
        "out_of_memory",
        r"MemoryError|Cannot allocate memory|out of memory|Errno 12",
        "The machine ran out of memory. Close other programs and run the set-up again.",
    ),
)
FAILURES = {failure.kind: failure for failure in _FAILURES}
_ERRNO = {
    getattr(errno, name): kind
    for kind, names in {
        "disk_full": ("ENOSPC", "EDQUOT"),
        "permission": ("EACCES", "EPERM", "EROFS"),
        "long_path": ("ENAMETOOLONG",),
        "file_locked": ("ETXTBSY", "EBUSY"),
        "out_of_memory": ("ENOMEM",),
    }.items()
    for name in names
    if hasattr(errno, name)
}


def classified(text: str, status: int, doing: str, *, proxy: bool = False) -> SetupError:
    """The error for a program that ended with `status` after saying `text`, while `doing`.

    `proxy` says that it had to go through one, which is then what could not be reached.
    """
    if status < 0:
        # Whatever it complained of before, this is what ended it.
        return SetupError(
            "killed",
            f"The installer was ended by {_signal_name(-status)} while {doing}, by another program "
            "or for lack of memory. Run the set-up again; what was downloaded is kept.",
        )
    for failure in _FAILURES:
        found = failure.found(text)
        if found is not None:
            words = _line_of(text, found.start())
            if proxy and failure.kind == "no_network":
                failure = FAILURES["proxy"]
            return SetupError(
                failure.kind, f"{failure.sentence} It was said while {doing}: {words}"
            )
    last = (text.strip().splitlines() or ["nothing"])[-1]
    return SetupError(
        "unknown",
        f"The installer failed (status {status}) while {doing}, and said: {last} Please report "
        "this with the log.",
    )


def classified_os_error(error: OSError, doing: str) -> TerraweaveError:
    """The error for an operation on files of ours that failed."""
    kind = _ERRNO.get(error.errno or 0) or ("file_locked" if _is_locked(error) else "")
    if not kind:
        return ResourceError(f"The set-up failed while {doing}: {error}.")
    return SetupError(kind, f"{FAILURES[kind].sentence} It was said while {doing}: {error}.")


def _is_locked(error: OSError) -> bool:
    return getattr(error, "winerror", None) in (5, 32, 33)


def _line_of(text: str, place: int) -> str:
    start = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    return text[start : end if end >= 0 else len(text)].strip()[:300]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
