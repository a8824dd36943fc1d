import pytest
from notebook_rig import check


def needs_gpu(make_sound, source):
    findings = check(make_sound(f"import torch\nnet = torch.nn.Linear(1, 1)\n{source}"))
    return [finding.message for finding in findings if finding.code == "needs-gpu"]


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("net.cuda()", ".cuda()"),
        ("net.to('cuda')", '.to("cuda")'),
        ("net.to(device='cuda:1')", 'device="cuda:1"'),
        ("DEVICE = 'cuda'\ndef load_model():\n    net.to(DEVICE)", '.to("cuda")'),
        ("x = torch.zeros(1, device='cuda')", 'device="cuda"'),
        ("x = torch.device('cuda')", 'torch.device("cuda")'),
        ("x = torch.load('w.pt', map_location='cuda')", 'map_location="cuda"'),
        ("if net:\n    net.cuda()", ".cuda()"),
        ("def f(x):\n    y = x.cuda()\n    if torch.cuda.is_available():\n        return y", ".cuda()"),
    ],
)
def test_what_fails_without_a_gpu(make_sound, source, what):
    assert needs_gpu(make_sound, source) == [f"{what} fails on a machine without a GPU"]


@pytest.mark.parametrize(
    "source",
    [
        "net.to('cuda' if torch.cuda.is_available() else 'cpu')",
        "if torch.cuda.is_available():\n    net.cuda()",
        "use_cuda = torch.cuda.is_available()\ndef f():\n    return net.cuda() if use_cuda else net",
        "try:\n    net.cuda()\nexcept RuntimeError:\n    pass",
        "assert torch.cuda.is_available(), 'needs a GPU'\nnet.cuda()",
        "if not torch.cuda.is_available():\n    raise RuntimeError('needs a GPU')\nnet.cuda()",
        "def f(x):\n    if not torch.cuda.is_available():\n        return x\n    return x.cuda()",
        "device = torch.device('cpu')\nnet.to(device)",
        "net.to(torch.float16)",
        "torch.cuda.is_available() and net.cuda()",
        "torch.cuda.empty_cache()",
    ],
)
def test_what_looks_for_a_gpu_first(make_sound, source):
    assert needs_gpu(make_sound, source) == []
