/// The stamps that may stand before a line.
extension LogLine {
  /// The place after `[   32.956015]`, `[    T1]` or `[Mon Jun 30 11:11:51 2008]`.
  static func afterStamp(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Int? {
    var position = skipBlanks(bytes, start + 1, end)
    let first = position
    var digits = 0
    var dots = 0
    var colons = 0
    var letters = 0
    while position < end, position - first < 40, bytes[position] != UInt8(ascii: "]") {
      switch bytes[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digits += 1
      case UInt8(ascii: "."): dots += 1
      case UInt8(ascii: ":"): colons += 1
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
        letters += 1
      case 0x20: break
      default:
        let length = blankLength(bytes, position, end)
        if length == 0 { return nil }
        position += length - 1
      }
      position += 1
    }
    guard position < end, position > first, bytes[position] == UInt8(ascii: "]") else {
      return nil
    }
    let isTime = letters == 0 && dots == 1 && colons == 0 && digits >= 2
    let isCaller =
      letters == 1 && digits >= 1 && dots == 0 && colons == 0
      && (bytes[first] == UInt8(ascii: "T") || bytes[first] == UInt8(ascii: "C"))
    let isDate = letters == 6 && colons == 2 && dots == 0 && digits >= 9
    return isTime || isCaller || isDate ? position + 1 : nil
  }

  /// The place after `Jun 30 11:11:51` or `2008-06-30T11:11:51.5+02:00`.
  static func afterDate(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Int? {
    var position = start
    if isDigit(bytes[start]) {
      var dashes = 0
      var colons = 0
      var hasT = false
      while position < end, position - start < 40, blankLength(bytes, position, end) == 0 {
        switch bytes[position] {
        case UInt8(ascii: "-"): dashes += 1
        case UInt8(ascii: ":"): colons += 1
        case UInt8(ascii: "T"): hasT = true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"),
          UInt8(ascii: ","), UInt8(ascii: "Z"):
          break
        default: return nil
        }
        position += 1
      }
      return hasT && dashes >= 2 && colons >= 2 ? position : nil
    }
    guard hasMonth(bytes, start, end) else { return nil }
    position = skipBlanks(bytes, start + 3, end)
    let day = position
    while position < end, isDigit(bytes[position]) { position += 1 }
    guard position > day, position - day <= 2 else { return nil }
    position = skipBlanks(bytes, position, end)
    let time = position
    var colons = 0
    while position < end, position - time < 20 {
      if bytes[position] == UInt8(ascii: ":") {
        colons += 1
      } else if !isDigit(bytes[position]), bytes[position] != UInt8(ascii: ".") {
        break
      }
      position += 1
    }
    return colons == 2 ? position : nil
  }

  static func hasMonth(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Bool {
    for month in months where has(bytes, start, end, month) { return true }
    return false
  }

  /// The place after the head of a /dev/kmsg record: `6,339,5140900,-;`.
  static func afterRecordHead(
    _ bytes: borrowing Span<UInt8>, _ start: Int, _ end: Int
  ) -> Int? {
    guard isDigit(bytes[start]) else { return nil }
    var commas = 0
    var position = start
    while position < end, position - start < 80 {
      switch bytes[position] {
      case UInt8(ascii: ";"): return commas >= 2 ? position + 1 : nil
      case UInt8(ascii: ","): commas += 1
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): break
      case _ where commas >= 3 && bytes[position] > 0x20: break
      default: return nil
      }
      position += 1
    }
    return nil
  }
}
