// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who builds ptdump-lint needs the benchmark library.
let package = Package(
  name: "Benchmarks",
  dependencies: [
    .package(name: "ptdump-lint", path: "../.."),
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .target(name: "SyntheticImages"),
    .executableTarget(name: "synthetic", dependencies: ["SyntheticImages"]),
    .target(
      name: "Measured",
      dependencies: [
        "SyntheticImages", .product(name: "PageTableLint", package: "ptdump-lint"),
      ]),
    .executableTarget(name: "compare", dependencies: ["Measured"]),
    .executableTarget(
      name: "InProcess",
      dependencies: ["Measured", .product(name: "Benchmark", package: "benchmark")],
      path: "Benchmarks/InProcess",
      plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
  ]
)
