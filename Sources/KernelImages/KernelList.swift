/// A ring of `struct list_head`, as the kernel links its objects.
///
/// Source: include/linux/types.h and list.h, 6.12: `next`, then `prev`.
struct KernelList {
  /// Objects of one ring at most; a machine has fewer processes and areas.
  private static let most = 1 << 22

  let reader: VirtualReader

  /// The addresses of the objects in a ring; nil where a link does not lead back to where it came
  /// from: what lies there is no ring, or a damaged one.
  ///
  /// - Parameters:
  ///   - head: the address of the ring's own `list_head`, which is no object's.
  ///   - offset: where an object has its `list_head`.
  func objects(head: UInt64, offset: UInt64) -> [UInt64]? {
    var found: [UInt64] = []
    var node = head
    while found.count < Self.most, let next = reader.word(at: node) {
      guard reader.word(at: next &+ UInt64(reader.wordSize)) == node else { return nil }
      if next == head { return found }
      found.append(next &- offset)
      node = next
    }
    return nil
  }
}
