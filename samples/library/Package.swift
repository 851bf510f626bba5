// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "KernelTests",
  dependencies: [.package(name: "ptdump-lint", path: "../..")],
  targets: [
    .testTarget(
      name: "KernelTests",
      dependencies: [.product(name: "PageTableLint", package: "ptdump-lint")])
  ]
)
