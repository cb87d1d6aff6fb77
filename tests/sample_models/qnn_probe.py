"""Runs a model on the HTP simulator, prints the outcome as JSON; a process of its own, as it may abort."""

import json
import sys

import numpy as np
import onnxruntime
import onnxruntime_qnn


def main(model: str, soc: str, feeds_file: str) -> None:
    onnxruntime.register_execution_provider_library("QNNExecutionProvider", onnxruntime_qnn.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name.startswith("QNN")]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    provider = {
        "backend_path": onnxruntime_qnn.get_qnn_htp_path(),
        "soc_model": soc,
        "enable_htp_fp16_precision": "1",
        "htp_graph_finalization_optimization_mode": "3",
    }
    options.add_provider_for_devices(devices, provider)
    session = onnxruntime.InferenceSession(model, options)
    plain = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    feeds = dict(np.load(feeds_file))
    pairs = list(zip(session.run(None, feeds), plain.run(None, feeds), strict=True))
    graphs = session.get_provider_graph_assignment_info()
    result = {
        "npu_subgraphs": [len(graph.get_nodes()) for graph in graphs if graph.ep_name.startswith("QNN")],
        "on_cpu": [n.op_type for graph in graphs if graph.ep_name.startswith("CPU") for n in graph.get_nodes()],
        "difference": [float(abs(a - b).max(initial=0)) if a.shape == b.shape else None for a, b in pairs],
        "range": [float(np.ptp(b)) if b.size else 0.0 for _, b in pairs],
    }
    print("\n" + json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
