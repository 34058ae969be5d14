"""The binding's promises, one function each that fails if the promise is broken; run by name in one process with a JVM."""

import contextlib
import gc
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import crossload_jpype
import ml_dtypes
import numpy as np
from crossload_jpype import Graph, InvalidArgument, NotFound, SavedModelBundle, TensorFlowJavaError, Unimplemented

MODELS = Path(os.environ["MODELS"])
CARRIED = ["bool", "uint8", "uint16", "int32", "int64", "float16", "float32", "float64", "bfloat16", "string"]
NOT_CARRIED = ["int8", "int16", "uint32", "uint64", "complex64", "complex128"]
STRINGS = [b"", b"\0\xff", "grüße".encode(), b"x" * 100_000]


@contextlib.contextmanager
def raises(kind: type[Exception], *words: str) -> Iterator[None]:
    """An exception of this kind, of one line with these words."""
    try:
        yield
    except kind as error:
        assert all(word in str(error) for word in words), error
        assert "\n" not in str(error), error
        assert "\tat " not in str(error), error
    else:
        raise AssertionError(f"no {kind.__name__}")


def sample(datatype: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array with the datatype's odd values."""
    count = int(np.prod(shape, dtype=int))
    if datatype == "string":
        array = np.empty(count, object)
        array[:] = [STRINGS[i % len(STRINGS)] for i in range(count)]
        return array.reshape(shape)
    dtype = np.dtype(getattr(ml_dtypes, datatype) if datatype == "bfloat16" else datatype)
    if datatype == "bool":
        return (np.arange(count) % 3 == 0).reshape(shape)
    if dtype.kind in "iu":
        ends = np.iinfo(dtype)
        return np.array(([ends.min, ends.max, 0, 7] * count)[:count], dtype).reshape(shape)
    return np.array(([np.nan, np.inf, -0.0, 1.5, 1e-40] * count)[:count], np.float64).astype(dtype).reshape(shape)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Bit for bit."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    return a.tolist() == b.tolist() if a.dtype.hasobject else a.tobytes() == b.tobytes()


def resident() -> int:
    """MiB of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def every_datatype_that_java_carries_comes_back_bit_for_bit() -> None:
    with SavedModelBundle.load(MODELS / "identity") as bundle:
        assert sorted(crossload_jpype.versions()["datatypes"].split()) == sorted(CARRIED)
        for datatype in CARRIED:
            for shape in ((), (1,), (7,), (0,), (2, 0, 3), (2, 3, 4)):
                array = sample(datatype, shape)
                answer = bundle[datatype](x=array)["y"]
                assert same(answer, array), (datatype, shape, answer)
                assert answer.flags.writeable, datatype


def a_datatype_without_tensor_type_is_refused_with_a_sentence() -> None:
    with SavedModelBundle.load(MODELS / "identity") as bundle:
        for datatype in NOT_CARRIED:
            with raises(Unimplemented, f"TensorFlow Java 1.1.0 has no tensor type for {datatype}"):
                bundle[datatype](x=np.zeros(2, datatype))
        for value in (np.zeros(2, "datetime64[s]"), np.zeros(2, "complex256")):
            with raises(InvalidArgument, "input 'x'", value.dtype.name):
                bundle["float32"](x=value)


def strings_may_be_text_bytes_or_any_string_array() -> None:
    with SavedModelBundle.load(MODELS / "identity") as bundle:
        whole = [b"a", "ß".encode()]
        for value in (["a", "ß"], [b"a", "ß"], np.array(["a", "ß"]), np.array([b"a", "ß".encode()]), np.array(["a", "ß"], object)):
            assert bundle["string"](x=value)["y"].tolist() == whole, value
        assert bundle["string"](x="ß")["y"].item() == "ß".encode()
        if hasattr(np.dtypes, "StringDType"):
            assert bundle["string"](x=np.array(["a", "ß"], np.dtypes.StringDType()))["y"].tolist() == whole
        with raises(InvalidArgument, "input 'x' has elements of NoneType, int"):
            bundle["string"](x=np.array(["a", 1, None], object))


def arrays_need_not_be_contiguous_native_or_writeable() -> None:
    with SavedModelBundle.load(MODELS / "identity") as bundle:
        whole = np.arange(24, dtype=np.float32).reshape(4, 6)
        read_only = whole.copy()
        read_only.flags.writeable = False
        for array in (
            whole.T,
            whole[::2, ::-1],
            np.asfortranarray(whole),
            whole.astype(">f4"),
            read_only,
            np.broadcast_to(whole[0], (3, 6)),
        ):
            answer = bundle["float32"](x=array)["y"]
            assert answer.dtype == np.float32
            assert answer.tolist() == array.tolist()


def numbers_and_lists_get_the_input_s_datatype_and_arrays_keep_theirs() -> None:
    with SavedModelBundle.load(MODELS / "scale") as bundle:
        assert bundle.call(x=[[1, 2, 3]])["y"].tolist() == [[3, 5, 7]]
        with raises(InvalidArgument, "input 'x' takes float32; the request has float64"):
            bundle.call(x=np.zeros((1, 3)))
        with raises(InvalidArgument, "input 'x' cannot become an array of float32"):
            bundle.call(x=[[1, 2], [3]])


def a_signature_is_described_and_called_by_name() -> None:
    with SavedModelBundle.load(MODELS / "several_signatures") as bundle:
        assert set(bundle.signatures) >= {"once", "twice"}
        takes = bundle["once"].inputs["x"]
        assert (takes.dtype, takes.datatype, takes.shape, takes.tensor) == (np.float32, "float32", (-1, 3), "once_x:0")
        assert bundle["once"].outputs["y"].shape == (-1, 3)
        x = np.ones((2, 3), np.float32)
        assert bundle["once"](x=x)["y"].tolist() == [[3.0] * 3] * 2
        assert bundle["twice"]({"x": x})["y"].tolist() == [[6.0] * 3] * 2
        assert bundle.call(signature="twice", x=x)["y"].tolist() == [[6.0] * 3] * 2
        with raises(NotFound, "no signature 'thrice'", "once, twice"):
            bundle["thrice"]
        with raises(InvalidArgument, "takes x; it has no input z"):
            bundle["once"](z=x)
        with raises(InvalidArgument, "needs inputs that the call leaves out: x"):
            bundle["once"]()


def a_session_feeds_and_fetches_by_tensor_names() -> None:
    with SavedModelBundle.load(MODELS / "several_signatures") as bundle:
        x, y = bundle["once"].inputs["x"].tensor, bundle["once"].outputs["y"].tensor
        one = np.ones((1, 3), np.float32)
        twice = bundle["twice"].outputs["y"].tensor
        first, second, again = bundle.session.run({x: one, bundle["twice"].inputs["x"].tensor: one}, [y, twice, y])
        assert first.tolist() == again.tolist() == [[3.0] * 3]
        assert second.tolist() == [[6.0] * 3]
        assert bundle.session.run(feeds={x.removesuffix(":0"): one}, fetches=y).tolist() == [[3.0] * 3]
        with raises(NotFound, "'nowhere:0'"):
            bundle.session.run({x: one}, ["nowhere:0"])
        with raises(InvalidArgument, "no tensors to fetch"):
            bundle.session.run({x: one}, [])


def a_graph_lists_its_operations_and_runs() -> None:
    with Graph.load(MODELS / "negation.pbtxt") as graph:
        assert [(o.name, o.type, o.outputs) for o in graph.operations] == [("x", "Placeholder", 1), ("y", "Neg", 1)]
        assert graph.run({"x": np.float32(3)}, "y:0") == -3
        assert graph.run(feeds={"x:0": np.ones((2, 2), np.float32)}, fetches=["y"])[0].tolist() == [[-1, -1]] * 2


def a_table_s_words_are_looked_up() -> None:
    with SavedModelBundle.load(MODELS / "text_table") as bundle:
        words = next(iter(bundle["serving_default"].inputs))
        answer = bundle.call({words: ["never seen", "ß"]})
        assert all(len(array) == 2 for array in answer.values())


def what_java_refuses_is_told_in_one_sentence() -> None:
    with raises(FileNotFoundError, "nowhere: there is no such file or folder"):
        SavedModelBundle.load(MODELS / "nowhere")
    with raises(TensorFlowJavaError, "training"):
        SavedModelBundle.load(MODELS / "scale", tags=["training"])
    with raises(InvalidArgument, "tags is a list"):
        SavedModelBundle.load(MODELS / "scale", tags="serve")
    with raises(ValueError, "is no GraphDef"):
        Graph.load(__file__)
    with raises(TensorFlowJavaError, "the call leaves out: factor"), SavedModelBundle.load(MODELS / "default_input") as bundle:
        bundle.call(x=[1.0])


def a_shape_that_the_graph_does_not_take_is_an_error_and_not_the_end_of_the_process() -> None:
    with SavedModelBundle.load(MODELS / "scale") as bundle:
        for shape in ((3,), (1, 4), (1, 3, 1), ()):
            with raises(ValueError, "input 'x' takes shape [-1, 3]", "the request has"):
                bundle.call(x=np.zeros(shape, np.float32))
        assert bundle.call(x=np.zeros((0, 3), np.float32))["y"].shape == (0, 3)


def a_closed_model_says_so_and_frees_its_session() -> None:
    bundle, graph = SavedModelBundle.load(MODELS / "scale"), Graph.load(MODELS / "negation.pbtxt")
    call, session = bundle["serving_default"], bundle.session
    for model in (bundle, graph):
        model.close()
        model.close()
        assert model.closed
        assert "(closed)" in repr(model)
        with raises(ValueError, "is closed; load it again"), model:
            pass
    for use in (lambda: call(x=[[1, 2, 3]]), lambda: session.run({}, "x"), lambda: graph.run({}, "y"), lambda: graph.operations):
        with raises(ValueError, "is closed; load it again"):
            use()


def closing_under_running_calls_waits_for_them() -> None:
    for _ in range(20):
        bundle = SavedModelBundle.load(MODELS / "scale")
        told: list[BaseException | None] = []

        def work(bundle: SavedModelBundle = bundle, told: list[BaseException | None] = told) -> None:
            try:
                while True:
                    assert bundle.call(x=[[1, 2, 3]])["y"].tolist() == [[3, 5, 7]]
            except BaseException as error:
                told.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.02)
        bundle.close()
        for thread in threads:
            thread.join()
        assert [type(e).__name__ for e in told] == ["ClosedError"] * 4, told


def many_threads_get_the_answers_to_what_they_asked() -> None:
    with Graph.load(MODELS / "negation.pbtxt") as graph:

        def ask(first: int) -> bool:
            return all(graph.run({"x": np.float32(n)}, "y") == -n for n in range(first, first + 300))

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(ask, range(0, 8000, 1000)))


def python_runs_on_while_tensorflow_computes() -> None:
    size = 3000
    names = [f"m{i}" for i in range(4)]
    nodes = ['node { name: "m" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }']
    for before, name in zip(["m", *names], names, strict=False):
        attribute = 'attr { key: "T" value { type: DT_FLOAT } }'
        nodes.append(f'node {{ name: "{name}" op: "MatMul" input: "{before}" input: "m" {attribute} }}')
    path = MODELS / "slow.pbtxt"
    path.write_text("\n".join(nodes), encoding="utf-8")
    with Graph.load(path) as graph:
        matrix = np.zeros((size, size), np.float32)
        took: list[int] = []
        ticks: list[int] = []
        thread = threading.Thread(target=lambda: took.append(graph.run_timed([("m", "m", matrix)], [f"{names[-1]}:0"])[1]))
        thread.start()
        while thread.is_alive():
            ticks.append(time.perf_counter_ns())
            time.sleep(0.001)
        longest = max(np.diff(ticks))
        assert took[0] > 100e6, took
        assert longest < took[0] / 2, (longest, took)


def a_large_input_is_copied_once() -> None:
    path = MODELS / "size.pbtxt"
    attribute = 'attr { key: "%s" value { type: DT_FLOAT } }'
    path.write_text(
        f'node {{ name: "x" op: "Placeholder" {attribute % "dtype"} }} node {{ name: "y" op: "Size" input: "x" {attribute % "T"} }}',
        encoding="utf-8",
    )
    array = np.ones((256 << 20) // 4, np.float32)
    peak, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            peak[0] = max(peak[0], resident())

    with Graph.load(path) as graph:
        graph.run({"x": array[:1]}, "y")
        watcher = threading.Thread(target=watch)
        before = resident()
        watcher.start()
        counts = [graph.run({"x": array}, "y") for _ in range(3)]
        done.set()
        watcher.join()
    assert counts == [array.size] * 3
    assert 200 < peak[0] - before < 256 + 64, (before, peak)


def forgotten_models_and_many_calls_leave_no_memory_behind() -> None:
    array = np.ones(1 << 20, np.float32)
    strings = np.array([b"x" * 1000] * 1000, object)

    def use() -> None:
        graph = Graph.load(MODELS / "negation.pbtxt")
        bundle = SavedModelBundle.load(MODELS / "identity")
        for _ in range(20):
            graph.run({"x": array}, "y")
            bundle["string"](x=strings)
            with contextlib.suppress(InvalidArgument):
                graph.run({"x": array.astype(np.float64)}, "y")

    grown = []
    for _ in range(4):
        before = resident()
        for _ in range(5):
            use()
            gc.collect()
        grown.append(resident() - before)
    # A leak grows in every round. The allocators of Java, TensorFlow and Python each grow once, in a round that nobody can foretell.
    assert min(grown) < 40, grown


def python_s_arrays_do_not_count_against_java_s_memory() -> None:
    hoard = np.ones(1 << 27)  # the JVM of this process was started with -Xmx256m
    with Graph.load(MODELS / "negation.pbtxt") as graph:
        assert graph.run({"x": np.ones(16 << 20, np.float32)}, "y")[-1] == -hoard[-1]


def importing_python_s_tensorflow_is_refused_with_the_reason() -> None:
    import importlib.util

    assert importlib.util.find_spec("tensorflow") is None  # it is not installed here, and nobody is told otherwise
    with raises(ModuleNotFoundError, "No module named 'tensorflow'"):
        import tensorflow  # noqa: F401


def _main() -> None:
    target = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    crossload_jpype.start(jvm_options=["-Xmx256m", "-Xms256m", "-XX:+AlwaysPreTouch"])  # a heap that is resident from the start
    for line in sys.stdin:
        promise: Callable[[], None] = globals()[line.strip()]
        try:
            promise()
            answer = None
        except Exception:
            answer = traceback.format_exc()
        print(json.dumps(answer), file=target, flush=True)


if __name__ == "__main__":
    _main()
