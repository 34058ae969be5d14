"""crossload: proves that a model exported in Python loads and predicts the same in Java, on phones and on microcontrollers.

Verbs: `show`, `check`, `export`, `convert`, `run`, `load`, `verify`, `diagnose`, `profile`, `compare_variants`, `handoff`, `doctor`, and
the modules `checkpoint` and `runtimes` with their functions. Options are spelt alike in each: `requests` (Requests), `tolerance`
(Tolerance by output or datatype), `limits` (Limits), `progress` (a function that takes a line of text). Errors are a tree below
CrossloadError (crossload.errors).

Each name imports what it needs on first use: `import crossload` itself costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import would take longer than the rest

__version__ = "0.1.0"

# The module of each public name; a name with a module alone is that module.
_HOMES = {
    "Answer": "crossload.runtimes.supervisor",
    "ArtifactError": "crossload.errors",
    "Bounds": "crossload.compare.quality",
    "Bundle": "crossload.contract.bundle",
    "Case": "crossload.report.results",
    "Cause": "crossload.contract.causes",
    "Check": "crossload.verbs.check.check",
    "Comparison": "crossload.verbs.compare.compare",
    "ConversionRefused": "crossload.errors",
    "Converted": "crossload.verbs.convert.convert",
    "Cost": "crossload.verbs.profile.costs",
    "CrossloadError": "crossload.errors",
    "Diagnosis": "crossload.verbs.doctor.doctor",
    "Divergence": "crossload.verbs.diagnose.diagnose",
    "EnvironmentProblem": "crossload.errors",
    "ExportRefused": "crossload.errors",
    "FrameError": "crossload.errors",
    "Handoff": "crossload.verbs.handoff.handed",
    "Limits": "crossload.runtimes.supervisor",
    "Manifest": "crossload.contract.manifest",
    "ManifestError": "crossload.errors",
    "Model": "crossload.model",
    "ModelError": "crossload.errors",
    "NoReference": "crossload.errors",
    "Plan": "crossload.verbs.verify.plan",
    "Prediction": "crossload.verbs.check.prediction",
    "Profile": "crossload.verbs.profile.profile",
    "QualityTerms": "crossload.verbs.verify.quality",
    "Report": "crossload.report.results",
    "Requests": "crossload.inputs.requests",
    "Result": "crossload.report.results",
    "RunFailed": "crossload.errors",
    "Runtime": "crossload.runtimes.registry",
    "Signature": "crossload.contract.signatures",
    "SignatureFunction": "crossload.model",
    "TensorSpec": "crossload.contract.signatures",
    "Tolerance": "crossload.contract.manifest",
    "WorkerFailure": "crossload.errors",
    "check": "crossload.verbs.check.check",
    "checkpoint": "crossload.edits.checkpoint_folders",
    "compare_variants": "crossload.verbs.compare.compare",
    "convert": "crossload.verbs.convert.convert",
    "diagnose": "crossload.verbs.diagnose.diagnose",
    "doctor": "crossload.verbs.doctor.doctor",
    "export": "crossload.verbs.export.export",
    "features_of": "crossload.inputs.tf_example",
    "frozen_function": "crossload.tf_process.frozen_function",
    "handoff": "crossload.verbs.handoff.handoff",
    "load": "crossload.model",
    "profile": "crossload.verbs.profile.profile",
    "run": "crossload.model",
    "runtimes": "crossload.runtimes",
    "show": "crossload.verbs.show.show",
    "tf_example": "crossload.inputs.tf_example",
    "verify": "crossload.verbs.verify.verify",
    "verify_plan": "crossload.verbs.verify.verify",
}
_MODULES = ("checkpoint", "runtimes")
__all__ = [
    "Answer",
    "ArtifactError",
    "Bounds",
    "Bundle",
    "Case",
    "Cause",
    "Check",
    "Comparison",
    "ConversionRefused",
    "Converted",
    "Cost",
    "CrossloadError",
    "Diagnosis",
    "Divergence",
    "EnvironmentProblem",
    "ExportRefused",
    "FrameError",
    "Handoff",
    "Limits",
    "Manifest",
    "ManifestError",
    "Model",
    "ModelError",
    "NoReference",
    "Plan",
    "Prediction",
    "Profile",
    "QualityTerms",
    "Report",
    "Requests",
    "Result",
    "RunFailed",
    "Runtime",
    "Signature",
    "SignatureFunction",
    "TensorSpec",
    "Tolerance",
    "WorkerFailure",
    "check",
    "checkpoint",
    "compare_variants",
    "convert",
    "diagnose",
    "doctor",
    "export",
    "features_of",
    "frozen_function",
    "handoff",
    "load",
    "profile",
    "run",
    "runtimes",
    "show",
    "tf_example",
    "verify",
    "verify_plan",
]

if TYPE_CHECKING:
    from crossload import runtimes as runtimes
    from crossload.compare.quality import Bounds as Bounds
    from crossload.contract.bundle import Bundle as Bundle
    from crossload.contract.causes import Cause as Cause
    from crossload.contract.manifest import Manifest as Manifest
    from crossload.contract.manifest import Tolerance as Tolerance
    from crossload.contract.signatures import Signature as Signature
    from crossload.contract.signatures import TensorSpec as TensorSpec
    from crossload.edits import checkpoint_folders as checkpoint
    from crossload.errors import ArtifactError as ArtifactError
    from crossload.errors import ConversionRefused as ConversionRefused
    from crossload.errors import CrossloadError as CrossloadError
    from crossload.errors import EnvironmentProblem as EnvironmentProblem
    from crossload.errors import ExportRefused as ExportRefused
    from crossload.errors import FrameError as FrameError
    from crossload.errors import ManifestError as ManifestError
    from crossload.errors import ModelError as ModelError
    from crossload.errors import NoReference as NoReference
    from crossload.errors import RunFailed as RunFailed
    from crossload.errors import WorkerFailure as WorkerFailure
    from crossload.inputs.requests import Requests as Requests
    from crossload.inputs.tf_example import features_of as features_of
    from crossload.inputs.tf_example import tf_example as tf_example
    from crossload.model import Model as Model
    from crossload.model import SignatureFunction as SignatureFunction
    from crossload.model import load as load
    from crossload.model import run as run
    from crossload.report.results import Case as Case
    from crossload.report.results import Report as Report
    from crossload.report.results import Result as Result
    from crossload.runtimes.registry import Runtime as Runtime
    from crossload.runtimes.supervisor import Answer as Answer
    from crossload.runtimes.supervisor import Limits as Limits
    from crossload.tf_process.frozen_function import frozen_function as frozen_function
    from crossload.verbs.check.check import Check as Check
    from crossload.verbs.check.check import check as check
    from crossload.verbs.check.prediction import Prediction as Prediction
    from crossload.verbs.compare.compare import Comparison as Comparison
    from crossload.verbs.compare.compare import compare_variants as compare_variants
    from crossload.verbs.convert.convert import Converted as Converted
    from crossload.verbs.convert.convert import convert as convert
    from crossload.verbs.diagnose.diagnose import Divergence as Divergence
    from crossload.verbs.diagnose.diagnose import diagnose as diagnose
    from crossload.verbs.doctor.doctor import Diagnosis as Diagnosis
    from crossload.verbs.doctor.doctor import doctor as doctor
    from crossload.verbs.export.export import export as export
    from crossload.verbs.handoff.handed import Handoff as Handoff
    from crossload.verbs.handoff.handoff import handoff as handoff
    from crossload.verbs.profile.costs import Cost as Cost
    from crossload.verbs.profile.profile import Profile as Profile
    from crossload.verbs.profile.profile import profile as profile
    from crossload.verbs.show.show import show as show
    from crossload.verbs.verify.plan import Plan as Plan
    from crossload.verbs.verify.quality import QualityTerms as QualityTerms
    from crossload.verbs.verify.verify import verify as verify
    from crossload.verbs.verify.verify import verify_plan as verify_plan


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'crossload' has no attribute {name!r}")
    from importlib import import_module

    home = import_module(_HOMES[name])
    globals()[name] = value = home if name in _MODULES else getattr(home, name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
