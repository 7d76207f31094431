"""Make test images of training images: 500 test images are few, and labelled ones are left over.

    python scripts/held_out_images.py ../shared/data/cifar10_raw.npz results/held_out.npz

writes an npz for `data:` of a configuration, whose training images are the first `--n_train` of
FILE and whose test images are the `--n_test` after them. They are of the same distribution as
the official test images, but are not those: say so beside any figure.
"""

import argparse
from pathlib import Path

from ntkreg.data import load_npz
from ntkreg.errors import SpecError
from ntkreg.storage import write_arrays


def main(argv: list[str] | None = None) -> None:
    """Run the script."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", help="npz with x_train, y_train, x_test, y_test")
    parser.add_argument("output", type=Path, help="npz to write; its folder is made if absent")
    parser.add_argument("--n_train", type=int, default=2000, help="training images; default 2000")
    parser.add_argument("--n_test", type=int, default=3000, help="test images; default 3000")
    args = parser.parse_args(argv)
    data = load_npz(args.file)
    total, here = args.n_train + args.n_test, len(data.X_train)
    if min(args.n_train, args.n_test) < 1 or total > here:
        raise SpecError(
            f"held_out_images: n_train and n_test must be >= 1 and at most {here} together, the "
            f"training images of {args.file}; got {args.n_train} and {args.n_test}."
        )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    train, test = slice(args.n_train), slice(args.n_train, total)
    arrays = {
        "x_train": data.X_train[train],
        "y_train": data.y_train[train],
        "x_test": data.X_train[test],
        "y_test": data.y_train[test],
    }
    write_arrays(args.output, arrays)
    print(f"{args.output}: {args.n_train} training images, the next {args.n_test} as test images")


if __name__ == "__main__":
    main()
