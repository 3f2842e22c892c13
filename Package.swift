// swift-tools-version: 6.2
import PackageDescription

let root = Context.packageDirectory
// Sanitizer runtimes are resolved at load time, so undefined symbols must stay allowed in those builds.
let sanitized = Context.environment["PARE_SANITIZE"] != nil
// `make docs` alone needs the documentation plugin; nothing else fetches it.
let documented = Context.environment["PARE_DOCS"] != nil

func linker(_ flags: String...) -> [String] { flags.flatMap { ["-Xlinker", $0] } }

/// A plugin is one folder and one shared library that exports its entry alone and is never unmapped.
let pluginSettings: [LinkerSetting] = [
    .unsafeFlags(
        (sanitized ? [] : linker("-z", "defs"))
            + linker("-z", "nodelete", "--version-script=\(root)/plugins/plugin.map"))
]

let swiftPlugins = [
    "magnitude", "norm-scale", "fpgm", "lamp",
    "uniform", "uniform-plus", "global", "erk",
    "sparsity", "size",
]

func moduleName(_ plugin: String) -> String {
    "Plugin" + plugin.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
}

/// Nothing here uses Swift concurrency or regular expressions; not importing them keeps start-up short.
let lean: [SwiftSetting] = [
    .unsafeFlags([
        "-Xfrontend", "-disable-implicit-concurrency-module-import",
        "-Xfrontend", "-disable-implicit-string-processing-module-import",
    ])
]

let package = Package(
    name: "pare",
    products: [
        .library(name: "pare", type: .dynamic, targets: ["PareABI"]),
        .executable(name: "pare-cli", targets: ["PareCommand"]),
        .library(name: "PareKit", type: .static, targets: ["PareKit"]),
    ] + swiftPlugins.map { .library(name: "pare-\($0)", type: .dynamic, targets: [moduleName($0)]) },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ] + (documented ? [.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")] : []),
    targets: [
        // The ABI as C sees it, and C helpers.
        .target(name: "CPare", path: ".", sources: ["Sources/CPare/stub.c"], publicHeadersPath: "include"),
        .target(name: "CKernels", path: "Sources/CKernels"),
        .target(name: "CShim", path: "Sources/CShim"),
        .systemLibrary(name: "CFFI", path: "Sources/CFFI", providers: [.apt(["libffi-dev"])]),

        // The core, bottom up: a target imports only targets above it.
        .target(name: "PareTensor", dependencies: ["CKernels", "CShim"], swiftSettings: lean),
        .target(name: "PareMask", dependencies: ["PareTensor", "CKernels"], swiftSettings: lean),
        .target(name: "PareGraph", dependencies: ["PareTensor"], swiftSettings: lean),
        .target(
            name: "PareFormats", dependencies: ["PareTensor", "PareMask", "PareGraph", "CKernels", "CShim"],
            swiftSettings: lean),
        .target(
            name: "PareHost",
            dependencies: ["PareTensor", "PareMask", "PareGraph", "PareFormats", "CPare", "CShim", "CFFI"],
            swiftSettings: lean, linkerSettings: [.linkedLibrary(":libffi_pic.a")]),
        .target(
            name: "PareABI", dependencies: ["PareHost", "CPare"], exclude: ["pare.map"], swiftSettings: lean,
            linkerSettings: [
                .unsafeFlags(
                    linker(
                        "--version-script=\(root)/Sources/PareABI/pare.map", "-z", "nodelete", "-soname=libpare.so"))
            ]),
        .executableTarget(
            name: "PareCommand",
            dependencies: ["PareHost", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Sources/pare"),

        // What a Swift plugin links.
        .target(name: "PareKit", dependencies: ["CPare"], swiftSettings: lean),
    ]
        + swiftPlugins.map {
            .target(
                name: moduleName($0), dependencies: ["PareKit", "CPare"], path: "plugins/\($0)",
                exclude: ["README.md"], swiftSettings: lean, linkerSettings: pluginSettings)
        }
        + [
            .testTarget(name: "PareTensorTests", dependencies: ["PareTensor"]),
            .testTarget(name: "PareMaskTests", dependencies: ["PareMask"]),
            .testTarget(name: "PareGraphTests", dependencies: ["PareGraph"]),
            .testTarget(name: "PareFormatsTests", dependencies: ["PareFormats"]),
            .testTarget(name: "PareHostTests", dependencies: ["PareHost"]),
        ],
    swiftLanguageModes: [.v6]
)
