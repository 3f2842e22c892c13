/// What a parameter is for. Raw values equal the `PARE_ROLE_*` macros of `pare/tensor.h`.
public enum ParameterRole: Int32, CaseIterable, Sendable {
    case other = 0
    /// Kernel of a convolution, matrix of a linear or recurrent layer.
    case weight = 1
    case bias = 2
    /// γ of a normalisation.
    case normScale = 3
    /// β of a normalisation.
    case normShift = 4
    /// Running mean and variance.
    case normMean = 5, normVariance = 6
    case embedding = 7
    /// Weights of the branches of a supernet.
    case architecture = 8
    /// Shapes, indices, scalars: never pruned.
    case constant = 9
}
