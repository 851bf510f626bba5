// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that nobody who builds ptdump-lint needs a fuzzer.
let package = Package(
  name: "Fuzz",
  dependencies: [.package(name: "ptdump-lint", path: "../..")],
  targets: [
    .target(name: "CFuzzer"),
    .executableTarget(
      name: "fuzz",
      dependencies: ["CFuzzer", .product(name: "PageTableLint", package: "ptdump-lint")]),
  ]
)
