"""How voices sound: vectors of short windows of speech, by CAM++. Runs in the sandbox, called by `hearing_child.py`."""

import base64
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from activities.media.campplus import FEATURES, WINDOW, graph

RATE_HZ = 16_000
HOP = WINDOW // 2
"""Features from the beginning of one window to that of the next."""
FEATURES_PER_S = 100
SHORTEST_S = 0.5
"""Of speech that tells a voice; shorter stretches belong to their neighbours."""
BATCH = 32


def vectors(samples: Any, speech: Sequence[tuple[int, int]], weights: str) -> list[tuple[float, float, str]]:
    """Return windows of speech: beginning and end in seconds, and the vector as `contracts.media.Voice` has it."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(
        graph(Path(weights).read_bytes()), options, providers=["CPUExecutionProvider"]
    )
    windows = [window for start, end in speech for window in _windows(samples, start, end)]
    found: list[tuple[float, float, str]] = []
    for first in range(0, len(windows), BATCH):
        batch = windows[first : first + BATCH]
        raw = session.run(None, {"features": np.stack([features for _, _, features in batch])})[0]
        unit = raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)
        for (start_s, end_s, _), vector in zip(batch, unit, strict=True):
            found.append((start_s, end_s, base64.b64encode(vector.astype("<f2").tobytes()).decode()))
    return found


def _windows(samples: Any, start: int, end: int) -> Iterator[tuple[float, float, Any]]:
    """Cut a stretch of speech into windows of `WINDOW` features; a short one is repeated until it is long enough."""
    features = _features(samples[start:end])
    start_s = start / RATE_HZ
    if len(features) < SHORTEST_S * FEATURES_PER_S:
        return
    if len(features) < WINDOW:
        repeated = np.resize(features, (WINDOW, FEATURES))
        yield start_s, start_s + len(features) / FEATURES_PER_S, _centred(repeated)
        return
    firsts = [*range(0, len(features) - WINDOW, HOP), len(features) - WINDOW]
    for first in firsts:
        window_s = start_s + first / FEATURES_PER_S
        yield window_s, window_s + WINDOW / FEATURES_PER_S, _centred(features[first : first + WINDOW])


def _features(samples: Any) -> Any:
    """Return Kaldi's filter bank of a stretch."""
    import kaldi_native_fbank as knf

    options = knf.FbankOptions()
    options.frame_opts.dither = 0
    options.frame_opts.samp_freq = RATE_HZ
    options.mel_opts.num_bins = FEATURES
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(RATE_HZ, samples.tolist())
    bank.input_finished()
    rows = [bank.get_frame(number) for number in range(bank.num_frames_ready)]
    return np.array(rows, dtype=np.float32).reshape(-1, FEATURES)


def _centred(features: Any) -> Any:
    return features - features.mean(axis=0, keepdims=True)
