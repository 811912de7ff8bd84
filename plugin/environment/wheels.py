"""Folders of wheels: what is whole in one, what is missing, and filling it."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from .failures import SetupError
from .installers import Sources, fetch_for_platform, fetch_with_pip
from .lock import Wheel, requirements_text
from .plan import Plan, megabytes
from .stages import Stages

# A file of this size is fetched by itself, so that an interruption costs no more than it.
_LARGE = 15_000_000
_OFTEN_LARGE = ("torch", "nvidia-", "triton")


def sha256_of(file: Path) -> str:
    """The hash of a file, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def missing_from(folder: Path, wheels: Sequence[Wheel]) -> list[Wheel]:
    """The wheels of those packages of which no wheel lies in `folder`.

    Raises:
        SetupError: a file has the name of a wheel and other contents.
    """
    present = set()
    for wheel in wheels:
        file = folder / wheel.name
        if not file.is_file():
            continue
        if sha256_of(file) != wheel.sha256:
            raise SetupError(
                "tampered",
                f"The file “{file}” is not the one that was tested: its hash differs from the "
                "lock. Nothing of it was installed. Delete it and fetch it again.",
            )
        present.add(wheel.package)
    return [wheel for wheel in wheels if wheel.package not in present]


def most_complete(folder: Path, plans: Sequence[Plan]) -> Plan:
    """The plan of which `folder` lacks the fewest packages, by the names of its files."""

    def lacking(plan: Plan) -> int:
        there = {one.package for one in plan.wheels if (folder / one.name).is_file()}
        return len({one.package for one in plan.wheels} - there)

    return min(plans, key=lacking)


def check_folder(folder: Path, plan: Plan) -> None:
    """Refuse a folder that does not hold every wheel of the plan, whole.

    Raises:
        SetupError: wheels are missing or have other contents.
    """
    if not folder.is_dir():
        raise SetupError(
            "wheels", f"There is no folder of wheels “{folder}” (WHEELS); choose one that exists."
        )
    missing = sorted({wheel.package for wheel in missing_from(folder, plan.wheels)})
    if missing:
        raise SetupError(
            "wheels",
            f"In the folder of wheels “{folder}”, {len(missing)} packages are missing for Python "
            f"{plan.minor} on {plan.platform} (build “{plan.build}”): {', '.join(missing[:8])}"
            f"{' …' if len(missing) > 8 else ''}. Fill it on a computer with a connection: run "
            "this tool there with ACTION=fetch and the same platform and Python.",
        )


def batches(wheels: Sequence[Wheel]) -> Iterator[list[Wheel]]:
    """The wheels in parts to be fetched one after the other: torch first, then the large ones."""
    packages: dict[str, list[Wheel]] = {}
    for wheel in wheels:
        packages.setdefault(wheel.package, []).append(wheel)
    small: list[Wheel] = []
    for package, some in sorted(packages.items(), key=lambda item: item[0] != "torch"):
        if package.startswith(_OFTEN_LARGE) or some[0].size >= _LARGE:
            yield some
        else:
            small += some
    if small:
        yield small


def fetch(stages: Stages, plan: Plan, environment: Path, target: Path) -> None:
    """Download what is missing in `target`, with the pip of `environment`.

    Raises:
        SetupError: something could not be had; what came is kept.
    """
    target.mkdir(parents=True, exist_ok=True)
    for batch in batches(_still_missing(target, plan.wheels)):
        file = _requirements(plan.places.temporary, batch)
        command = fetch_with_pip(environment, file, target, plan.sources)
        stages.run(
            command,
            f"downloading {batch[0].package}{' and others' if len(batch) > 2 else ''}",
            grows=(target, plan.places.temporary),
            to=plan.to_download,
        )


def fetch_for(
    stages: Stages, plan: Plan, environment: Path, target: Path, sources: Sources
) -> None:
    """Fill the folder `target` for the plan's platform and Python, which may be another machine's.

    Raises:
        SetupError: something could not be had; what came is kept.
    """
    target.mkdir(parents=True, exist_ok=True)
    (target / list_name(plan)).write_text(list_text(plan), encoding="utf-8")
    for batch in batches(_still_missing(target, plan.wheels)):
        names = [wheel.name for wheel in batch]
        file = _requirements(plan.places.temporary, batch)
        stages.run(
            fetch_for_platform(environment, file, target, sources, plan.minor, names),
            f"downloading {batch[0].package} for {plan.platform}",
            grows=(target, plan.places.temporary),
            to=plan.to_download,
        )


def _still_missing(folder: Path, wheels: Sequence[Wheel]) -> list[Wheel]:
    """As `missing_from`; a file of ours that is not whole is removed and fetched anew."""
    for wheel in wheels:
        file = folder / wheel.name
        if file.is_file() and sha256_of(file) != wheel.sha256:
            file.unlink()
    return missing_from(folder, wheels)


def _requirements(folder: Path, wheels: Sequence[Wheel]) -> Path:
    file = folder / "requirements.txt"
    file.write_text(requirements_text(wheels), encoding="utf-8")
    return file


def list_name(plan: Plan) -> str:
    """The name of the list of files in a folder of wheels."""
    return f"terraweave-{plan.platform}-py{plan.minor.replace('.', '')}-{plan.build}.txt"


def list_text(plan: Plan) -> str:
    """The files that an environment is made from, for somebody who fetches them by hand."""
    lines = [
        f"{wheel.sha256}  {wheel.name}{f'  # {megabytes(wheel.size)}' if wheel.size else ''}"
        for wheel in plan.wheels
    ]
    return "\n".join(
        [
            f"# The wheels of Terraweave's worker for Python {plan.minor} on {plan.platform}, with",
            "# their SHA-256. Of a package with two lines, either will do.",
            *lines,
            "",
        ]
    )
