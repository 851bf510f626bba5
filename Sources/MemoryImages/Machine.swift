/// The kinds of machines that Linux runs on, as ELF names them.
///
/// Source: include/uapi/linux/elf-em.h, 6.12.
package enum Machine: UInt16, Sendable, CaseIterable {
  case i386 = 3
  case ppc64 = 21
  case s390x = 22
  case arm = 40
  case x86_64 = 62
  case arm64 = 183
  case riscv64 = 243
  case loongarch64 = 258

  /// As reports name it.
  package var name: String {
    switch self {
    case .i386: "i386"
    case .ppc64: "ppc64"
    case .s390x: "s390x"
    case .arm: "arm"
    case .x86_64: "x86-64"
    case .arm64: "arm64"
    case .riscv64: "riscv64"
    case .loongarch64: "loongarch64"
    }
  }

  /// Whether images of it are read.
  var isRead: Bool { [.x86_64, .i386, .arm64].contains(self) }

  /// That an image is of a machine whose images are not read yet.
  func refusal(of path: String, offset: UInt64) -> ImageError {
    let article = [.i386, .s390x, .arm, .arm64].contains(self) ? "an" : "a"
    return ImageError(
      path, offset: offset, "\(article) \(name) memory image: not read yet",
      advice: "give an image of an x86 or arm64 kernel")
  }
}
