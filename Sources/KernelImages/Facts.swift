package import KernelText

/// Something known of a kernel, and where it is known from.
package struct Fact<Value: Sendable & Equatable>: Sendable, Equatable {
  package let value: Value
  package let source: String

  package init(_ value: Value, _ source: String) {
    self.value = value
    self.source = source
  }
}

extension Fact: Codable where Value: Codable {}

/// What is known of the kernel whose tables are judged; nil is unknown.
package struct KernelFacts: Sendable, Equatable, Codable {
  package var release: Fact<String>?
  /// The build's own number, in hexadecimal.
  package var buildID: Fact<String>?
  /// When it crashed, in seconds since 1970.
  package var crashTime: Fact<String>?
  package var commandLine: Fact<String>?
  /// The letters of the log's last line that has them.
  package var taint: Fact<String>?
  /// Where the release is not known: the first that it can be, and the first that it cannot be any
  /// more.
  package var releaseFrom: Fact<KernelVersion>?
  package var releaseBefore: Fact<KernelVersion>?
  /// Page-table isolation is in force.
  package var pti: Fact<Bool>?
  /// The no-execute bit is in use.
  package var nx: Fact<Bool>?
  /// The global bit is in use.
  package var pge: Fact<Bool>?
  package var xen: Fact<Bool>?
  /// Under which hypervisor the kernel runs, with its version where that is known.
  package var hypervisor: Fact<String>?
  /// What kind of guest of Xen's it is.
  package var domain: Fact<String>?
  package var directMap: Fact<UInt64>?
  package var vmalloc: Fact<UInt64>?
  package var vmemmap: Fact<UInt64>?
  package var physBase: Fact<UInt64>?
  package var kaslrOffset: Fact<UInt64>?
  package var imageSize: Fact<UInt64>?
  package var maxPfnMapped: Fact<UInt64>?
  package var smeMask: Fact<UInt64>?
  /// The kernel's own count of its direct map's leaves: of 4K, of the next and of the third size.
  package var directPages: Fact<[UInt64]>?
  package var root: Fact<UInt64>?
  /// The bits of a physical address that the processor has.
  package var physicalBits: Fact<UInt64>?
  /// The processors' own protections, as far as their registers are known.
  package var protections: [Protection: Fact<Bool>] = [:]

  package init() {}

  /// The number of the release.
  package var version: KernelVersion? {
    release.flatMap { KernelVersion(release: $0.value) }
  }

  /// Whether the kernel is that release or a later one; nil where it is not known.
  package func isAtLeast(_ major: Int, _ minor: Int, _ patch: Int = 0) -> Bool? {
    isAtLeast(KernelVersion(major, minor, patch))
  }

  package func isAtLeast(_ wanted: KernelVersion) -> Bool? {
    if let version { return version >= wanted }
    if let from = releaseFrom?.value, from >= wanted { return true }
    if let before = releaseBefore?.value, before <= wanted { return false }
    return nil
  }
}
