"""The methods of explaining: each keeps the explainer's contract, and is what its paper says."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from fakefacecli.base.records import FaceCrop, Heatmap
from fakefacecli.base.verdicts import Label, Opinion, Reason, Thresholds, Verdict
from fakefacecli.models.backbones import build, grid_of
from fakefacecli.models.calibration import Calibration
from fakefacecli.models.card import ModelCard
from fakefacecli.scan.classify import Network
from fakefacecli.scan.explain import JudgeExplainer, NetworkExplainer
from fakefacecli.scan.heat import FINER, HEAT_RULES, HeatRule, Method, layer_of, rule_of
from tests.scan.test_explain import TinyNetwork, feed, gap, hooks, random_crop

PX = 32


def tiny_vit(bias: float = 1.2) -> VisionTransformer:
    torch.manual_seed(3)
    vit = VisionTransformer(PX, 8, num_classes=1, embed_dim=24, depth=3, num_heads=3)
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.normal_(0, 0.4)  # as initialised, its attention is flat
        vit.head.bias.fill_(bias)
    return vit.eval()


def of_vit(method: Method, vit: VisionTransformer | None = None) -> NetworkExplainer:
    vit = tiny_vit() if vit is None else vit
    return NetworkExplainer(vit, vit.blocks[-1].norm1, feed(PX), method=method)


def logits_of(vit: VisionTransformer, crops: Sequence[FaceCrop]) -> np.ndarray:
    with torch.no_grad():
        return vit(feed(PX)(crops))[:, 0].numpy()


def attention_of(vit: VisionTransformer, crop: FaceCrop) -> list[torch.Tensor]:
    """The attention of each block, worked out from its queries and keys."""
    found = []
    tokens = vit._pos_embed(vit.patch_embed(feed(PX)([crop])))
    with torch.no_grad():
        for block in vit.blocks:
            attn = block.attn
            qkv = attn.qkv(block.norm1(tokens)).reshape(1, -1, 3, attn.num_heads, attn.head_dim)
            q, k, _ = qkv.permute(2, 0, 3, 1, 4)
            found.append((q @ k.transpose(-2, -1) * attn.scale).softmax(-1)[0])
            tokens = block(tokens)
    return found


@pytest.mark.parametrize("method", Method)
def test_every_method_gives_a_face_the_same_map_alone_and_among_others(method: Method) -> None:
    crops = [random_crop(seed) for seed in range(8)]
    explainer = of_vit(method)
    together = explainer.explain(crops)
    assert any(heat.values.any() for heat in together)
    assert gap(together, [explainer.explain([crop])[0] for crop in crops]) < 1e-4
    with torch.inference_mode():
        assert gap(together, explainer.explain(crops)) < 1e-6


@pytest.mark.parametrize("method", Method)
def test_no_method_leaves_a_trace_in_the_network(method: Method) -> None:
    vit = tiny_vit().train()
    vit.blocks[1].eval()
    vit.blocks[1].attn.fused_attn = False
    vit.blocks[0].requires_grad_(False)
    fused = [block.attn.fused_attn for block in vit.blocks]
    training = [module.training for module in vit.modules()]
    wanted = [parameter.requires_grad for parameter in vit.parameters()]
    of_vit(method, vit).explain([random_crop(1), random_crop(2)])
    assert hooks(vit) == 0
    assert [block.attn.fused_attn for block in vit.blocks] == fused
    assert [module.training for module in vit.modules()] == training
    assert [parameter.requires_grad for parameter in vit.parameters()] == wanted
    assert all(parameter.grad is None for parameter in vit.parameters())


@pytest.mark.parametrize("method", Method)
def test_an_error_in_the_network_leaves_no_trace_either(method: Method) -> None:
    vit = tiny_vit()

    def broken(tokens: torch.Tensor) -> torch.Tensor:
        raise IndexError("list index out of range")

    vit.head.forward = broken
    with pytest.raises(IndexError, match="out of range") as caught:
        of_vit(method, vit).explain([random_crop(1)])
    assert caught.tb
    assert hooks(vit) == 0
    assert all(block.attn.fused_attn for block in vit.blocks)
    assert all(p.requires_grad and p.grad is None for p in vit.parameters())


@pytest.mark.parametrize("method", [method for method in Method if method is not Method.GRAD_CAM])
def test_a_map_without_units_adds_up_to_the_logit_and_is_cold_where_that_is_negative(
    method: Method,
) -> None:
    crops = [random_crop(seed) for seed in range(8)]
    vit = tiny_vit()
    logits = logits_of(vit, crops)
    assert logits.min() < 0 < logits.max()
    grids = of_vit(method, vit)._grids(crops)
    assert grids.shape == (8, 4, 4)
    assert grids.min() >= 0
    assert grids.sum((1, 2)) == pytest.approx(np.maximum(logits, 0), abs=1e-4)
    unsuspected = tiny_vit(bias=-100)
    assert not any(heat.values.any() for heat in of_vit(method, unsuspected).explain(crops))


def test_weak_evidence_is_weak_heat_by_every_method() -> None:
    crop = random_crop(0)
    for method in Method:
        if method is not Method.GRAD_CAM:
            [logit] = logits_of(tiny_vit(), [crop])
            [heat] = of_vit(method, tiny_vit(bias=1.2 + 0.01 - float(logit))).explain([crop])
            assert 0 < heat.values.max() < 0.17, method  # at most all 0.01 in one of 16 cells


def test_rollout_is_the_papers_formula() -> None:
    vit, crop = tiny_vit(bias=50), random_crop(4)
    flow = np.eye(17)
    for heads in attention_of(vit, crop):
        flow = (heads.mean(0).numpy() + np.eye(17)) / 2 @ flow
    from_class_token = flow[0, 1:].reshape(4, 4)
    [grid] = of_vit(Method.ROLLOUT, vit)._grids([crop])
    assert grid / grid.sum() == pytest.approx(from_class_token / from_class_token.sum(), abs=1e-5)
    assert grid.std() > 0.01


def test_the_attention_that_gradients_weigh_is_that_of_fake() -> None:
    vit, crop = tiny_vit(bias=50), random_crop(4)
    [plain], [weighed] = (
        of_vit(method, vit)._grids([crop]) for method in (Method.ROLLOUT, Method.GRADIENT_ROLLOUT)
    )
    with torch.no_grad():
        vit.head.weight.neg_()
    [plain_again], [against] = (
        of_vit(method, vit)._grids([crop]) for method in (Method.ROLLOUT, Method.GRADIENT_ROLLOUT)
    )
    shares = [grid / grid.sum() for grid in (plain, plain_again, weighed, against)]
    assert np.abs(shares[0] - shares[1]).max() < 1e-5
    assert np.abs(shares[2] - shares[3]).max() > 0.01


def test_the_first_component_is_grad_cams_up_to_its_sign() -> None:
    from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection

    from fakefacecli.scan.heat import _first_component

    evidence = np.random.default_rng(0).normal(0.3, 1, (3, 20, 5, 4)).astype(np.float32)
    evidence[:, :, 1, 2] += 5
    theirs, ours = get_2d_projection(evidence), _first_component(evidence)
    assert np.abs(np.abs(theirs) - np.abs(ours)).max() < 1e-3
    assert (ours[:, 1, 2] > 5).all()


@pytest.mark.parametrize("backbone", FINER)
def test_the_finer_layer_has_twice_as_many_rows_and_columns(backbone: str) -> None:
    network = build(backbone, "linear", "here").eval()
    card = card_of(backbone, 160 if backbone == "inception_resnet_v1" else 224)
    sizes = []
    for rule in (HeatRule(), HeatRule(layer=FINER[backbone])):
        hook = layer_of(network, card, rule).register_forward_hook(
            lambda layer, inputs, output: sizes.append(grid_of(output).shape[2])
        )
        with torch.no_grad():
            network(torch.zeros(1, 3, card.input_px, card.input_px))
        hook.remove()
    assert sizes[1] >= 2 * sizes[0]


def test_every_rule_can_be_followed() -> None:
    for (backbone, _), rule in HEAT_RULES.items():
        if rule.method.reads_attention:
            assert "vit" in backbone
        if rule.layer:
            with torch.device("meta"):
                network = build(backbone, "linear", "here")
            network.get_submodule(rule.layer)
    assert rule_of(card_of("resnet18", 64)) == HeatRule(Method.GRAD_CAM)


def card_of(backbone: str, px: int) -> ModelCard:
    return ModelCard(
        name="a",
        backbone=backbone,
        input_px=px,
        mean=(127.5,) * 3,
        std=(128.0,) * 3,
        crop_scale=1.15,
        calibration=Calibration("none"),
        thresholds=Thresholds(0.3, 0.9),
        min_face_px=64,
    )


def judge_of_three() -> JudgeExplainer:
    members = [
        Network(name, TinyNetwork(), card_of("resnet18", 16), weight=weight)
        for name, weight in (("a", 0.5), ("b", 0.25), ("c", 0.25))
    ]
    torch.nn.init.normal_(members[1].network.conv.weight)  # sees other things than a
    explainers = [NetworkExplainer(m.network, m.network.relu, feed(16)) for m in members]
    return JudgeExplainer(members, explainers)


def explained(crop: FaceCrop, *opinions: Opinion) -> Heatmap:
    verdict = Verdict(0.95, Thresholds(0.3, 0.9), Label.FLAGGED, Reason.ABOVE_HIGH, opinions)
    [heat] = judge_of_three().explain([crop], [verdict])
    return heat


def test_a_member_that_was_not_asked_adds_no_heat_and_is_named() -> None:
    crop = random_crop(3)
    all_said = explained(crop, Opinion("a", 4), Opinion("b", 6), Opinion("c", -3))
    without_b = explained(crop, Opinion("a", 4), Opinion("c", -3))
    alone = explained(crop, Opinion("a", 4))
    assert [c.amount for c in all_said.contributions] == [2, 1.5, -0.75]
    assert [c.amount for c in without_b.contributions] == [2, None, -0.75]
    assert [c.member for c in alone.contributions] == ["a", "b", "c"]
    assert gap([without_b], [alone]) == 0  # who speaks for real adds nothing
    assert gap([without_b], [all_said]) > 0.1


def test_where_all_members_speak_for_real_the_judge_shows_no_heat() -> None:
    said = (Opinion("a", -4), Opinion("b", -0.1), Opinion("c", 0))
    assert not explained(random_crop(3), *said).values.any()


def test_a_small_contribution_is_little_heat() -> None:
    assert explained(random_crop(3), Opinion("a", 0.2)).values.max() < 0.11
