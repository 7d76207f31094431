"""The command that says what kernel folders hold and how far they are."""

from collections.abc import Sequence

from ntkreg.cli.options import make_parser, parse
from ntkreg.errors import PlanError

__all__ = ["status"]


def status(arguments: Sequence[str]) -> None:
    """Describe the kernels in a folder: size, tiles done, rate, time left."""
    parser = make_parser(
        "gram status",
        "STORE",
        "Say what the kernels in a folder are and how far they are: tiles done, pairs a second at\n"
        "the latest tiles, time left, bytes. The folder is only read, also while others fill it.\n"
        "Tiles that were damaged show when they are read, and the command that made the folder\n"
        "computes them again.",
        "  ntkreg gram status results/digits_gram\n  ntkreg gram status results/digits_gram/kernel",
        takes_n_jobs=False,
    )
    parser.add_argument("STORE", help="a kernel folder, or a folder that holds some")
    folder = parse(parser, arguments)["STORE"]
    from ntkreg.gram import gram_status
    from ntkreg.gram.collection import kernel_folders

    wrong: list[Exception] = []
    for number, path in enumerate(kernel_folders(folder, "gram status")):
        # One that is damaged keeps nobody from the others.
        try:
            print(f"{'' if number == len(wrong) else chr(10)}{gram_status(path)}")
        except (OSError, ValueError, PlanError) as error:
            wrong.append(error)
    if wrong:
        raise wrong[0]
