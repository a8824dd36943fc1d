import pytest
from declarations_rig import lines, said

from byoc_kit.notebook.rules.loading import check_downloads, check_pickles

FETCHERS = "import huggingface_hub, torch, urllib.request\nfrom transformers import AutoModel"


@pytest.mark.parametrize(
    ("source", "is_fetched"),
    [
        ("from urllib.request import urlretrieve\nurlretrieve('https://example.com/w.bin', 'w.bin')", True),
        ("from transformers import AutoModel\nM = 'org/model'\nm = AutoModel.from_pretrained(M)", True),
        ("from transformers import AutoModel\nm = AutoModel.from_pretrained(find())", False),
        ("import torch\nm = torch.hub.load('repo', 'tiny', source='local')", False),
        ("import torch\nm = torch.hub.get_dir()", False),
    ],
)
def test_what_a_start_fetches_over_the_network(source, is_fetched):
    assert len(said(check_downloads, source)) == is_fetched


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("urllib.request.urlretrieve('https://h/w.bin', 'w.bin')", "https://h/w.bin"),
        ("torch.hub.load_state_dict_from_url(url='https://h/w.pth')", "https://h/w.pth"),
        ("huggingface_hub.hf_hub_download('org/m', 'w.bin')", "hf://org/m@main/w.bin"),
        ("huggingface_hub.hf_hub_download(filename='w.bin', repo_id='org/m', revision='v1')", "hf://org/m@v1/w.bin"),
        ("huggingface_hub.snapshot_download('org/m')", "hf://org/m@main"),
        ("AutoModel.from_pretrained('org/m', revision='v1')", "hf://org/m@v1"),
    ],
)
def test_what_is_fetched_can_be_named_as_an_asset(source, name):
    (finding,) = said(check_downloads, f"{FETCHERS}\ny = {source}")
    assert finding.endswith(f'; write byoc_kit.asset("{name}") for what it fetches, and the export locks it [download]')


@pytest.mark.parametrize(
    "source",
    [
        *("urllib.request.urlopen('ftp://h/w.bin')", "urllib.request.urlopen(address)", "torch.hub.load('org/m', 'x')"),
        *("huggingface_hub.hf_hub_download('org/m', name)", "huggingface_hub.hf_hub_download('org/m', '../w')"),
        *("AutoModel.from_pretrained('gpt2')", "AutoModel.from_pretrained('org/m', revision=find())"),
        *("AutoModel.from_pretrained('org/m', subfolder='vae')", "AutoModel.from_pretrained('org/m', **more)"),
        "huggingface_hub.snapshot_download('org/m', repo_type='dataset')",
    ],
)
def test_what_is_no_asset_is_not_offered_as_one(source):
    (finding,) = said(check_downloads, f"{FETCHERS}\ny = {source}")
    assert "hf://" not in finding
    assert "ftp://" not in finding
    assert finding.endswith(("so that the image has it [download]", "the folder that HF_HOME names [download]"))


@pytest.mark.parametrize("ending", ["pt", "pth", "pkl", "pickle", "joblib", "ckpt", "PT"])
def test_pickle_by_name(ending):
    assert said(check_pickles, f"y = asset('w.{ending}')") == [
        f"effects.ipynb, cell 2, line 1: w.{ending} is a pickle by its name, and loading a pickle runs code that is in "
        "it; keep the weights as safetensors, if it is yours to choose [pickle]"
    ]


@pytest.mark.parametrize(
    "arguments", [", weights_only=False", ", weights_only=x", ", pickle_module=dill", ", **options"]
)
def test_pickle_in_torch_load(arguments):
    assert said(check_pickles, f"y = torch.load(asset('w.pt'){arguments})") == [
        "effects.ipynb, cell 2, line 1: torch.load: loading a pickle runs code that is in it; "
        "keep the weights as safetensors, or pass weights_only=True [pickle]"
    ]


@pytest.mark.parametrize("call", ["joblib.load(f)", "pickle.load(f)", "pd.read_pickle(f)", "pickle.loads(b)"])
def test_pickle_in_another_loader(call):
    assert lines(check_pickles, f"y = {call}") == [("pickle", 2, 1)]


def test_pickle_in_numpy_load():
    assert said(check_pickles, "y = np.load(asset('y.npy'), allow_pickle=True)") == [
        "effects.ipynb, cell 2, line 1: numpy.load: loading a pickle runs code that is in it; "
        "save it without objects in it, and leave allow_pickle out [pickle]"
    ]


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(asset('w.pt'), weights_only=True)",
        "torch.load(asset('w.pt'))",
        "torch.load(asset('w.pt'), 'cpu', weights_only=None)",
        "def load(path):\n    return torch.load(path)\nload(asset('w.pt'))",
        "W = asset('w.pt')\ntorch.load(W, weights_only=True)",
        "torch.jit.load(asset('w.pt'))",
        "np.load(asset('y.npy')), np.load(asset('y.npz'), allow_pickle=False)",
        "load_file(asset('w.safetensors'))",
        "torch.save(x, 'w.pt')",
        "asset('.pt'), asset('pt')",
    ],
)
def test_no_pickle(source):
    assert said(check_pickles, source) == []
