import Glibc
internal import PageTables

/// Files that gzip, xz or zstd packed: the program of that name unpacks them.
enum PackedFormat {
  private static let programs: [(magic: [UInt8], name: String)] = [
    ([0x1f, 0x8b], "gzip"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "xz"),
    ([0x28, 0xb5, 0x2f, 0xfd], "zstd"),
  ]

  /// The program that unpacks a file; nil where it is not packed.
  static func program(for file: MappedFile) -> String? {
    programs.first { file.bytes(at: 0, count: $0.magic.count) == $0.magic }?.name
  }

  /// Unpacks a file into a temporary one.
  ///
  /// - Parameter limit: the bytes that it may unpack to.
  static func unpack(
    _ file: MappedFile, with program: String, limit: UInt64
  ) throws(ImageError) -> MappedFile {
    var ends: [Int32] = [-1, -1]
    guard unsafe pipe(&ends) == 0, fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0,
      fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0
    else {
      throw ImageError(file.path, "no pipe can be made", advice: "close other programs")
    }
    defer { close(ends[0]) }
    let child: pid_t
    do {
      defer { close(ends[1]) }
      guard let made = start(program, reading: file.descriptor, writing: ends[1]) else {
        throw ImageError(
          file.path, "\(program) packed it, and \(program) cannot be run here",
          advice: "install \(program), or give the unpacked file")
      }
      child = made
    }
    var isAtWork = true
    defer {
      if isAtWork {
        kill(child, SIGKILL)
        _ = waitpid(child, nil, 0)
      }
    }
    let target = try TemporaryFile(for: file.path)
    try target.take(from: ends[0], limit: limit)
    var status: Int32 = 0
    let isWhole = unsafe waitpid(child, &status, 0) == child && status == 0
    isAtWork = false
    guard isWhole || target.size > 0 else {
      throw ImageError(
        file.path, "\(program) cannot unpack it, or is not installed",
        advice: "install \(program), or copy the file again if it is damaged")
    }
    return try target.mapped(
      damage: isWhole
        ? []
        : [
          "\(program) could unpack \(target.size.readableSize) only: the file is cut off or damaged"
        ])
  }

  /// Where systems have the programs; a search path of the environment may lead anywhere.
  private static let folders = ["/usr/bin", "/bin", "/usr/local/bin", "/run/current-system/sw/bin"]

  /// What limits the memory that a program takes.
  ///
  /// xz -9 needs 65 MB, the largest dictionary of its format 1.6 GB; zstd takes 128 MB at most by itself,
  /// gzip next to nothing.
  private static let limits = ["xz": "-M2GiB"]

  private static func start(_ program: String, reading: Int32, writing: Int32) -> pid_t? {
    let paths: [String] = folders.map { "\($0)/\(program)" }
    guard let path = paths.first(where: { unsafe access($0, X_OK) == 0 }) else { return nil }
    lseek(reading, 0, SEEK_SET)
    var actions = unsafe posix_spawn_file_actions_t()
    guard unsafe posix_spawn_file_actions_init(&actions) == 0 else { return nil }
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_adddup2(&actions, reading, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, writing, 1)
    unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var child: pid_t = 0
    // Options in the environment (XZ_OPT, GZIP) are none of a reader's.
    let words = [program, "-dc"] + [limits[program]].compactMap { $0 }
    var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
    defer { unsafe arguments.forEach { unsafe free($0) } }
    var environment: [UnsafeMutablePointer<CChar>?] = unsafe [nil]
    guard
      unsafe posix_spawn(&child, path, &actions, nil, &arguments, &environment) == 0
    else { return nil }
    return child
  }
}
