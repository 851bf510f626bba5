// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableExperimentalFeature("Lifetimes"),
]

let package = Package(
  name: "ptdump-lint",
  products: [
    .executable(name: "ptdump-lint", targets: ["ptdump-lint"]),
    .library(name: "PageTableLint", targets: ["PageTableLint", "PageTables"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
  ],
  targets: [
    .target(name: "PageTables", swiftSettings: settings),
    .target(name: "KernelText", dependencies: ["PageTables"], swiftSettings: settings),
    .systemLibrary(
      name: "CElfutils", pkgConfig: "libdw libelf", providers: [.apt(["libdw-dev", "libelf-dev"])]),
    .systemLibrary(name: "CLibyaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    .systemLibrary(name: "CLibbpf", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev"])]),
    .systemLibrary(
      name: "CConfinement", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
    .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "CLzo", pkgConfig: "lzo2", providers: [.apt(["liblzo2-dev"])]),
    .systemLibrary(name: "CLzma", pkgConfig: "liblzma", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(
      name: "MemoryImages",
      dependencies: ["PageTables", "CElfutils", "CZlib", "CLzma", "CLzo", "CZstd"],
      swiftSettings: settings),
    .target(
      name: "KernelImages",
      dependencies: ["PageTables", "KernelText", "MemoryImages", "CElfutils", "CLibbpf"],
      swiftSettings: settings),
    .target(
      name: "PageTableLint",
      dependencies: ["PageTables", "KernelText", "MemoryImages", "KernelImages", "CLibyaml"],
      swiftSettings: settings),
    .target(name: "Confinement", dependencies: ["CConfinement"], swiftSettings: settings),
    .executableTarget(
      name: "ptdump-lint",
      dependencies: [
        "PageTables", "MemoryImages", "KernelImages", "PageTableLint", "Confinement",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: settings),
    .target(
      name: "Support", dependencies: ["PageTables", "KernelText", "MemoryImages", "KernelImages"],
      path: "Tests/Support", swiftSettings: settings),
    // What breaks real images, apart from the tests that use it: it is hot, and they are not optimised.
    .target(
      name: "FaultInjection",
      dependencies: ["PageTables", "MemoryImages", "KernelImages", "PageTableLint", "Support"],
      path: "Tests/FaultInjection", swiftSettings: settings),
    .testTarget(
      name: "HouseTests", dependencies: ["PageTables", "Support"], swiftSettings: settings),
    .testTarget(
      name: "PageTablesTests", dependencies: ["PageTables", "Support"], swiftSettings: settings),
    .testTarget(
      name: "KernelTextTests", dependencies: ["PageTables", "KernelText", "Support"],
      swiftSettings: settings),
    .testTarget(
      name: "KernelImagesTests",
      dependencies: ["PageTables", "KernelText", "MemoryImages", "KernelImages", "Support"],
      swiftSettings: settings),
    .testTarget(
      name: "PageTableLintTests",
      dependencies: [
        "PageTables", "KernelText", "MemoryImages", "KernelImages", "PageTableLint", "Support",
        "FaultInjection",
      ],
      // To optimise them takes longer than they run.
      swiftSettings: settings + [.unsafeFlags(["-Onone"])]),
  ]
)
