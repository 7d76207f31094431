"""The register of studies: a record each. Nothing of them is imported here."""

from ntkreg.cli.study import Option, Study

__all__ = ["STORE", "STUDIES"]

STORE = Option(
    "store",
    "folder of kernels that commands and estimators share: what it holds is not computed again, "
    "what it lacks is kept there",
    "FOLDER",
)

_STUDIES = (
    Study(
        "quickstart",
        summary="kernels of four networks against an RBF-SVM on handwritten digits",
        about="""\
NTK and NNGP of dense and convolutional networks of infinite width against an
RBF-SVM, on the same splits of scikit-learn's 8 x 8 digits. Nothing is downloaded.""",
        examples="""\
  ntkreg quickstart                   # table, and results/quickstart/page.html
  ntkreg quickstart --n_splits 10 --conv_depth 8
  ntkreg quickstart --n_images 300 --n_train '[50,100]'""",
        needs_config=False,
        options=(STORE,),
    ),
    Study(
        "fit",
        summary="fit, test and save one model from a YAML file",
        about="""\
Fit one model, test it and save it, with its configuration, beside the results.""",
        examples="""\
  ntkreg fit configs/digits_fit.yaml
  ntkreg fit configs/digits_fit.yaml --alpha 1e-3 --output results/ridge3
  ntkreg fit configs/digits_fit.yaml --architecture.depth 3
  ntkreg fit configs/digits_fit.yaml --architecture '{recipe: fully_connected}'
  ntkreg fit configs/digits_fit.yaml --data my_images.npz --store_kernel true
  ntkreg fit configs/digits_fit.yaml --store results/kernels   # a second one reads them""",
        files=(("model", "model"), ("result", "record.json")),
        explains=True,
        options=(STORE,),
    ),
    Study(
        "gram",
        summary="kernel matrices kept in folders: resumed, extended, in shards",
        about="""\
Compute the kernel matrix of a data set into a folder, tile by tile. The same command goes
on where a killed one was, and computes again what was damaged; processes on many machines
compute a shard each. `ntkreg gram status STORE` says how far it is. Estimators read the
folder: NTKClassifier(cntk(5), store="results/digits_gram").""",
        examples="""\
  ntkreg gram configs/digits_gram.yaml
  ntkreg plan configs/digits_gram.yaml           # pairs, seconds, bytes
  ntkreg gram configs/digits_gram.yaml --resume --n_jobs 2
  ntkreg gram configs/digits_gram.yaml --shard 1/2   # and 2/2 elsewhere
  ntkreg gram configs/digits_gram.yaml --scheduler tcp://127.0.0.1:8786
  ntkreg gram configs/digits_gram.yaml --n_train 400 --preprocessing none \\
      --output results/grown
  ntkreg gram configs/digits_gram.yaml --n_train 500 --preprocessing none \\
      --output results/grown --extend
  ntkreg gram status results/digits_gram""",
        files=(("kernel", "kernel"),),
        explains=True,
        options=(
            Option("resume", "only go on with a kernel that is there; begin none"),
            Option("shard", "compute part I of N only, as one of N processes", "I/N"),
            Option("scheduler", "compute on the workers of this Dask scheduler", "ADDRESS"),
            Option("extend", "let the kernel of the first inputs grow to n_train and n_test"),
        ),
        no_store="its --output is such a folder already, which other commands' --store takes",
        words={"status": "ntkreg.cli.gram_status:status"},
    ),
    Study(
        "few-samples",
        summary="convolutional kernels on 10 to 640 images, after a YAML file",
        about="""\
Accuracy of kernels of convolutional networks from 10 to 640 images, in the setting of
Arora et al. 2020. Kernels are stored as they come: a run that was stopped goes on.""",
        examples="""\
  ntkreg few-samples configs/cifar10_few_samples.yaml
  ntkreg few-samples configs/cifar10_few_samples.yaml --pool 40 --n_test 20 \\
      --n_samples '[10,20]' --depths '[4,5]'         # a trial in a minute
  ntkreg few-samples configs/cifar10_myrtle5.yaml --data my_images.npz
  ntkreg few-samples configs/cifar10_lap.yaml --symmetry flip --output results/flip
  ntkreg few-samples configs/cifar10_lap.yaml --alpha 1e-3 --output results/ridge \\
      --store results/cifar10_lap                    # the kernels of another run""",
        explains=True,
        options=(STORE,),
    ),
    Study(
        "few-samples-compare",
        summary="which of such runs' kernels is best at each number of images",
        about="""\
Which kernel is best at each number of training images, and which cannot be told
from it: finished runs of `ntkreg few-samples` on the same draws, compared draw by
draw and test image by test image. No kernel is computed.""",
        examples="""\
  ntkreg few-samples-compare configs/cifar10_best_kernel.yaml
  ntkreg few-samples-compare configs/cifar10_best_kernel.yaml --get '[ntk]'
  ntkreg few-samples-compare configs/cifar10_best_kernel.yaml \\
      --kernels '{mine: results/mine}'               # one more beside the file's""",
        takes_n_jobs=False,
    ),
    Study(
        "precision",
        summary="float32, mixed and float64 kernels of the same images, after a YAML file",
        about="""\
What kernels in float32 and mixed precision do to eigenvalues, residuals, predictions
and accuracy, against float64, on images that repeat, nearly repeat or are distinct.
Kernels are stored as they come: a run that was stopped goes on.""",
        examples="""\
  ntkreg precision configs/cifar10_precision.yaml
  ntkreg precision configs/cifar10_precision.yaml --n_train 10 --n_copies 2 --n_test 16
  ntkreg precision configs/cifar10_precision.yaml --data my_images.npz""",
        options=(STORE,),
    ),
    Study(
        "few-samples-network",
        summary="trained networks of finite width on the same images",
        about="""\
Accuracy of trained networks of finite width on the draws of `ntkreg few-samples`,
beside a kernel's rows. Every draw is stored: a run that was stopped goes on.""",
        examples="""\
  ntkreg few-samples-network configs/cifar10_few_samples_cnn.yaml
  ntkreg few-samples-network configs/cifar10_few_samples_cnn.yaml \\
      --n_samples '[10,20]' --n_draws '[3]'          # a trial in a few minutes""",
        takes_n_jobs=False,
    ),
    Study(
        "optimizers",
        summary="eight optimisers from one start: functions, kernels, errors",
        about="""\
Eight optimisers from one start on one task: do they follow the kernel trajectory, how
far apart do they end, what do noise, stopping, ridge and random labels do. Every run
is kept as it ends: a study that was stopped goes on.""",
        examples="""\
  ntkreg optimizers configs/optimizers_mnist.yaml
  ntkreg optimizers configs/optimizers_mnist.yaml --widths '[32,64]' --width 64 \\
      --n_train 50 --batch_sizes '[5,20]' --seeds '[0,1]'  # a trial in two minutes
  ntkreg optimizers configs/optimizers_mnist.yaml --rates '{adam: 0.1}'""",
        files=(("page", "page.html"), ("rows", "runs.csv")),
        options=(STORE,),
    ),
    Study(
        "widths",
        summary="networks of growing width against their kernels, after a YAML file",
        about="""\
Draw and train networks of many widths, starts and depths, lazily (ntk) and learning
features (mup), and hold them against the theory of infinite width: kernels at the
start, how far kernels and weights move, the gap to linearised training, ensembles.
The page has a slope with a 95 % interval and a verdict for each. Every network is
stored when it is done: a run that was stopped goes on, more widths or starts are
added to what is there.""",
        examples="""\
  ntkreg widths configs/widths_mnist.yaml
  ntkreg plan configs/widths_mnist.yaml          # networks, seconds, bytes
  ntkreg widths configs/widths_mnist.yaml --widths '[16,32,64,128]' --n_seeds '[8]' \\
      --n_starts '[32]' --output results/trial   # a trial in minutes
  ntkreg widths configs/widths_mnist.yaml --data digits --positive '[1,3,5,7,9]'""",
        options=(STORE,),
    ),
    Study(
        "compare",
        summary="kernels of networks against other models on many data sets",
        about="""\
Which model is best on many small data sets, each tuned over as many settings: NTK, NNGP
and CNTK against other kernels and ensembles of trees, on a folder of CSV or npz files,
with tests of what is more than luck, and how alike the kernels are. Each model on each
data set is kept as it ends: a study that was stopped goes on.""",
        examples="""\
  ntkreg compare configs/compare_uci.yaml
  ntkreg plan configs/compare_uci.yaml           # settings, seconds, bytes
  ntkreg compare configs/compare_uci.yaml --data_sets '[iris, wine-quality-red]'
  ntkreg compare configs/compare_tables.yaml --data my_folder
  ntkreg compare configs/compare_uci.yaml --store results/kernels   # kept for other runs""",
        options=(STORE,),
    ),
    Study(
        "complete",
        summary="matrices from some entries: deep factorisations, nuclear norm",
        about="""\
Complete matrices of low rank, or ratings from a file, from some of their entries: deep
linear networks trained on these alone against the least nuclear norm, by depth, start
and optimiser, with singular values beside their differential equation. Every statement
of the literature is a row with an interval and a verdict. Each run is kept as it ends: a
study that was stopped goes on.""",
        examples="""\
  ntkreg complete configs/completion.yaml
  ntkreg plan configs/completion.yaml            # runs and seconds
  ntkreg complete configs/completion.yaml --size 30 --n_seen '[300,500]' --ranks '[2]' \\
      --reference_rank 2 --reference_seen 500 --n_instances 2   # a trial in minutes
  ntkreg complete configs/completion_movielens.yaml --matrix PATH/u.data""",
    ),
    Study(
        "landscape",
        summary="the loss surface of networks of growing width, after a YAML file",
        about="""\
The surface that gradient descent walks on, as networks get wider: curvature at levels of
the loss, barriers and curves between minima, batches, sharpness, basins. Every statement
of the literature is a row with an interval and a verdict. Each depth and width is kept as
it ends: a study that was stopped goes on. Needs matfree (ntkreg[landscape]).""",
        examples="""\
  ntkreg landscape configs/landscape.yaml
  ntkreg plan configs/landscape.yaml             # networks, seconds, bytes
  ntkreg landscape configs/landscape.yaml --widths '[4,8,16]' --depths '[1]' \\
      --n_train 12 --n_test 16 --n_seeds 4 --max_steps 500   # a trial in minutes
  ntkreg landscape configs/landscape_digits.yaml""",
        options=(STORE,),
    ),
)

STUDIES = {study.name: study for study in _STUDIES}
"""Every study by the name of its command, in the order of the help."""
