import keras
import numpy as np
import pytest
from keras import ops

from historynet.systems.historynet import losses
from historynet.training.engine import StepTools

rng = np.random.default_rng(0)


def gradient_of(function, point):
    """The engine's own derivative of the summed function."""
    place = {"share": None} if keras.backend.backend() == "tensorflow" else {"start": 0, "samples": len(point)}
    return StepTools(0, ops.zeros((), "int32"), phase=0, **place).input_gradient(function, ops.convert_to_tensor(point))


def test_reconstruction_and_parsing_are_means_over_pixels():
    true, predicted = rng.random((2, 3, 8, 8, 2), np.float32)
    expected = [np.mean((t - p) ** 2) for t, p in zip(true, predicted, strict=True)]
    np.testing.assert_allclose(losses.reconstruction(true, predicted), expected, rtol=1e-6)
    np.testing.assert_allclose(losses.parsing(true, predicted), expected, rtol=1e-6)


def test_kl_divergence_of_distributions():
    p, q = rng.dirichlet(np.ones(42), (2, 5))
    expected = (p * np.log(p / q)).sum(-1)
    np.testing.assert_allclose(losses.classification(p.astype("f4"), q.astype("f4")), expected, rtol=1e-4)
    np.testing.assert_allclose(losses.classification(p.astype("f4"), p.astype("f4")), 0, atol=1e-6)


def test_kl_divergence_of_a_one_hot_label_is_the_log_of_its_probability():
    label = np.eye(42, dtype=np.float32)[[7]]
    predicted = np.full((1, 42), 1 / 42, np.float32)
    # The 41 zeros count as 1e-7 each.
    expected = np.log(42) + 41 * 1e-7 * np.log(1e-7 * 42)
    np.testing.assert_allclose(losses.classification(label, predicted), [expected], rtol=1e-5)


def test_info_is_cut_to_positive_values_up_to_one():
    vector = np.array([[-2.0, 0.5, 3.0]], np.float32)
    found = np.array([[0.25, -1.0, 0.5]], np.float32)
    p, q = np.array([1e-7, 0.5, 1.0]), np.array([0.25, 1e-7, 0.5])
    np.testing.assert_allclose(losses.info(vector, found), [(p * np.log(p / q)).sum()], rtol=1e-5)


def test_info_has_no_gradient_outside():
    vector = np.float32([[0.5, 0.5, 0.5]])
    gradient = gradient_of(lambda found: losses.info(vector, found), np.float32([[0.25, -1.0, 1.5]]))
    np.testing.assert_allclose(gradient, [[-0.5 / 0.25, 0, 0]], rtol=1e-6)


def test_critic_and_adversarial_have_opposite_wishes():
    real, fake = rng.standard_normal((2, 3, 4, 4, 1)).astype("f4")
    np.testing.assert_allclose(losses.critic(real, fake), fake.mean((1, 2, 3)) - real.mean((1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(losses.adversarial(fake), -fake.mean((1, 2, 3)), rtol=1e-5)


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
def test_penalty_of_a_linear_critic_is_closed_form(norm):
    """The gradient of <w, x> is w, whatever x: the penalty is (|w| - 1)^2."""
    w = rng.standard_normal((1, 6, 6, 2)).astype("f4")
    w *= norm / np.linalg.norm(w)
    gradient = gradient_of(lambda ab: ops.sum(ab * w, axis=(1, 2, 3)), rng.random((4, 6, 6, 2), "f4"))
    np.testing.assert_allclose(losses.gradient_penalty(gradient), [(norm - 1) ** 2] * 4, atol=1e-5)


def test_penalty_of_a_quadratic_critic_and_its_second_derivative():
    """Of c |x|^2 / 2 the gradient is c x; the penalty's derivative in c is 2 (c |x| - 1) |x|."""
    x = rng.standard_normal((2, 3, 3, 2)).astype("f4")
    length = np.sqrt((x**2).sum((1, 2, 3)))

    def penalty(c):
        return losses.gradient_penalty(gradient_of(lambda ab: c[0] * ops.sum(ab**2, axis=(1, 2, 3)) / 2, x))

    c = np.float32([0.7])
    np.testing.assert_allclose(penalty(ops.convert_to_tensor(c)), (0.7 * length - 1) ** 2, rtol=1e-5)
    np.testing.assert_allclose(gradient_of(penalty, c), [(2 * (0.7 * length - 1) * length).sum()], rtol=1e-4)


def test_penalty_has_a_finite_derivative_at_a_zero_gradient():
    assert np.isfinite(gradient_of(losses.gradient_penalty, np.zeros((1, 2, 2, 2), "f4"))).all()


def test_mix_goes_from_generated_to_real():
    real, fake = rng.random((2, 2, 4, 4, 2))
    alpha = np.array([1.0, 0.25]).reshape(2, 1, 1, 1)
    mixed = losses.mix(real, fake, alpha)
    np.testing.assert_array_equal(mixed[0], real[0])
    np.testing.assert_allclose(mixed[1], 0.25 * real[1] + 0.75 * fake[1])


@pytest.mark.parametrize("delta", [None, 0.02])
def test_reconstruction_by_hand(delta):
    """Errors of 1 and of 4 deltas, on a gray pixel and on one of chroma 0.5."""
    true = np.full((1, 1, 2, 2), 128 / 255, np.float32)
    true[0, 0, 1] += np.array([0.3, 0.4]) * 128 / 255
    error = np.array([[0.02, 0.02], [0.08, -0.08]])
    # Half the square up to delta; from there the line that touches it.
    each = np.array([0.5 * 0.02**2, 0.02 * (0.08 - 0.01)] if delta else [0.02**2, 0.08**2])
    predicted = (true + error).astype("f4")
    np.testing.assert_allclose(losses.reconstruction(true, predicted, delta), [each.mean()], rtol=1e-4)
    weighted = (each * [1, 1 + 3 * 0.5]).mean()
    np.testing.assert_allclose(losses.reconstruction(true, predicted, delta, 3.0), [weighted], rtol=1e-4)
    logarithm = losses.reconstruction(true, predicted, delta, 3.0, log_error=True)
    np.testing.assert_allclose(logarithm, [np.log(1 + weighted * 255**2)], rtol=1e-4)


def test_log_error_grows_as_psnr_falls():
    """Far above the rounding of 8 bits, 10 dB are log(10), in a pale picture as in a colourful one."""
    true = rng.random((2, 8, 8, 2)).astype("f4")
    noise = rng.normal(size=true.shape).astype("f4") * np.array([0.05, 0.5], "f4")[:, None, None, None]
    better, worse = (losses.reconstruction(true, true + f * noise, log_error=True) for f in (10**-0.5, 1.0))
    np.testing.assert_allclose(np.subtract(worse, better), np.log(10), rtol=0.1)


def test_log_error_of_a_perfect_picture_is_zero_with_a_finite_gradient():
    true = rng.random((1, 4, 4, 2), "f4")

    def loss(predicted):
        return losses.reconstruction(true, predicted, log_error=True)

    assert loss(true) == 0
    assert np.isfinite(gradient_of(loss, true)).all()
