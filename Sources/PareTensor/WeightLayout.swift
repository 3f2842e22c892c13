/// Which axis of a weight counts output units.
///
/// `outFirst`: [out, in / groups, kernel …], as convolutions and `y = x · Wᵀ` keep it.
/// `inFirst`: [in, out / groups, kernel …], as `y = x · W` and transposed convolutions keep it.
public enum WeightLayout: Sendable {
    case outFirst, inFirst
}
