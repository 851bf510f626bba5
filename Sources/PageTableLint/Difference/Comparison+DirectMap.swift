internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Comparison {
  /// By distance from its start, that is by frame; the frames of the kernel image, which lies
  /// elsewhere in memory in each boot, by their distance from the image's first.
  ///
  /// Where the image lies in one boot alone, the other must have what its direct map mostly has
  /// elsewhere: nothing, in the user's half of a 32-bit kernel under page-table isolation.
  mutating func compareDirectMap(_ old: Table, _ new: Table) {
    let parts = (
      part(old, self.old, .directMap, frames: 0), part(new, self.new, .directMap, frames: 0)
    )
    guard let images = imageFrames, areOtherBuilds || images.old != images.new else {
      compare(parts.0, parts.1, old, new, .directMap)
      return
    }
    func cut(_ part: Part, _ frames: ClosedRange<UInt64>) -> (rest: Part, image: Part) {
      let usual = self.usual(part, outside: frames)
      var rest: [Segment] = []
      var image: [Segment] = []
      for segment in part.segments {
        let inside = max(segment.start, frames.lowerBound)
        let last = min(segment.last, frames.upperBound)
        guard inside <= last else {
          rest.append(segment)
          continue
        }
        if segment.start < inside {
          rest.append(Segment(start: segment.start, last: inside - 1, state: segment.state))
        }
        if last < segment.last {
          rest.append(Segment(start: last + 1, last: segment.last, state: segment.state))
        }
        var state = usual
        if state.kind == .leaf { state.level = segment.state?.level ?? 1 }
        rest.append(Segment(start: inside, last: last, state: state))
        image.append(
          Segment(
            start: inside - frames.lowerBound, last: last - frames.lowerBound,
            state: segment.state))
      }
      return (
        Part(base: part.base, segments: rest),
        Part(base: part.base &+ frames.lowerBound, segments: image)
      )
    }
    let was = cut(parts.0, images.old)
    let now = cut(parts.1, images.new)
    compare(was.rest, now.rest, old, new, .directMap)
    let name = "direct map of the kernel image"
    guard !areOtherBuilds else {
      notCompared.append(
        Difference.NotCompared(what: name, reason: "the inputs are of different builds"))
      return
    }
    compare(was.image, now.image, old, new, .directMap, named: name)
  }

  /// What most of a part is, but for a range of it.
  func usual(_ part: Part, outside range: ClosedRange<UInt64>) -> State {
    var bytes: [State: UInt64] = [:]
    for segment in part.segments {
      guard var state = segment.state, state.kind == .leaf else { continue }
      state.level = 1
      if segment.start < range.lowerBound {
        bytes[state, default: 0] &+= min(segment.last, range.lowerBound - 1) &- segment.start &+ 1
      }
      if segment.last > range.upperBound {
        bytes[state, default: 0] &+= segment.last &- max(segment.start, range.upperBound + 1) &+ 1
      }
    }
    return bytes.max { $0.value < $1.value }?.key ?? State()
  }

  /// Where the kernel image lies in memory, in each input; of one length.
  var imageFrames: (old: ClosedRange<UInt64>, new: ClosedRange<UInt64>)? {
    guard let was = old.imageFrame, let now = new.imageFrame,
      let size = [old.imageSize, new.imageSize].compactMap({ $0 }).max(), size > 0,
      was <= ~0 - size, now <= ~0 - size
    else { return nil }
    return (was...(was + size - 1), now...(now + size - 1))
  }
}
