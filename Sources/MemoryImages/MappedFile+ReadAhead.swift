internal import Glibc

/// Reading pieces that lie apart: a page fault for each waits for the disk each time, and reads what
/// lies around it, too.
extension MappedFile {
  /// The pieces that are looked at to find out whether the file is in memory already.
  private static let samples = 64
  /// Gaps of this many bytes are read, too, rather than asked for apart.
  private static let gap = 16 << 10
  /// The longest request that each device takes whole.
  ///
  /// Source: `force_page_cache_ra`, mm/readahead.c, 6.12: what is longer than a device's window is cut
  /// off. The default window has 128 KiB.
  private static let longest = 128 << 10

  /// Asks for the pieces of the file that are needed soon, in the order of the disk, and does not wait
  /// for them; for none where all of some samples are in memory.
  ///
  /// - Parameter place: where the file has what one of `items` is; nil for nowhere.
  /// - Returns: whether it asked for them.
  func willRead<Item>(_ items: [Item], place: (Item) -> Range<Int>?) -> Bool {
    let step = max(1, items.count / Self.samples)
    let isNeeded = stride(from: 0, to: items.count, by: step).contains { index in
      place(items[index]).map { !isInMemory($0) } ?? false
    }
    guard isNeeded else { return false }
    var request = 0..<0
    for piece in items.compactMap(place).sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if piece.lowerBound <= request.upperBound + Self.gap,
        piece.upperBound - request.lowerBound <= Self.longest
      {
        request = request.lowerBound..<max(request.upperBound, piece.upperBound)
      } else {
        fetch(request)
        request = piece
      }
    }
    fetch(request)
    return true
  }

  /// Asks for the first page, which tells what the file is: texts alone are read on from there.
  ///
  /// A page fault would read what lies around it, too: 8 MB, as some devices are set.
  func fetchFirst() {
    let first = 0..<min(size, 1)
    if !isInMemory(first) { fetch(first) }
  }

  /// Asks for a piece, unless it is so long that the system's own reading around each fault serves.
  private func fetch(_ piece: Range<Int>) {
    guard piece.count < Self.longest / 2, let pages = unsafe pages(of: piece) else { return }
    unsafe madvise(pages.start, pages.size, MADV_WILLNEED)
  }

  /// Whether the page cache has a piece's first page.
  ///
  /// It says so of each page where the file is another user's and may not be written.
  private func isInMemory(_ piece: Range<Int>) -> Bool {
    let first = piece.lowerBound..<(piece.lowerBound + 1)
    guard let page = unsafe pages(of: first) else { return true }
    var state: UInt8 = 0
    return unsafe mincore(page.start, page.size, &state) != 0 || state & 1 != 0
  }

  /// The whole pages that hold a piece, where they are mapped.
  private func pages(of piece: Range<Int>) -> (start: UnsafeMutableRawPointer, size: Int)? {
    let pageSize = 4096
    let start = piece.lowerBound / pageSize * pageSize
    guard !piece.isEmpty,
      let mapped = unsafe mapped(at: UInt64(start), count: piece.upperBound - start)
    else { return nil }
    return unsafe (UnsafeMutableRawPointer(mutating: mapped), piece.upperBound - start)
  }
}
