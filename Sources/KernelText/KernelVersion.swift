/// The number of a kernel's release: 6.12.117 of `6.12.117-amd64`.
package struct KernelVersion: Sendable, Hashable, Codable, Comparable, CustomStringConvertible {
  package let major: Int
  package let minor: Int
  package let patch: Int

  package init(_ major: Int, _ minor: Int, _ patch: Int = 0) {
    self.major = major
    self.minor = minor
    self.patch = patch
  }

  /// Reads a release as `uname -r` prints it; nil where it does not start with a number.
  ///
  /// What a release leaves out is zero: `6` is 6.0.0, `6.12-rc1` is 6.12.0.
  package init?(release: some StringProtocol) {
    let numbers = release.split(separator: ".").prefix(3).map { part in
      Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0
    }
    guard let major = numbers.first, major > 0 else { return nil }
    self.init(
      major, numbers.count > 1 ? numbers[1] : 0, numbers.count > 2 ? numbers[2] : 0)
  }

  package var description: String { "\(major).\(minor).\(patch)" }

  package static func < (old: KernelVersion, new: KernelVersion) -> Bool {
    (old.major, old.minor, old.patch) < (new.major, new.minor, new.patch)
  }
}
