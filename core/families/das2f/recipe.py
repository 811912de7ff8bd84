"""What DAS²F can do; importing this brings torch in."""

from ...estimate import Estimate
from ...job import Job
from ...progress import Progress
from .adopt import adopt
from .apply import predict
from .foresee import foresee
from .learn import learn


class Das2fRecipe:
    """Train, predict, take over published checkpoints."""

    def train(self, job: Job, progress: Progress) -> dict[str, object]:
        """Train as the job says; see `learn`."""
        return learn(job, progress)

    def predict(self, job: Job, progress: Progress) -> dict[str, object]:
        """Apply the job's model; see `apply`."""
        return predict(job, progress)

    def estimate(self, job: Job, progress: Progress) -> Estimate:
        """What a run will take; see `foresee`."""
        return foresee(job, progress)

    def import_checkpoint(self, job: Job, progress: Progress) -> dict[str, object]:
        """Take over a checkpoint of the paper's code; see `adopt`."""
        return adopt(job, progress)
