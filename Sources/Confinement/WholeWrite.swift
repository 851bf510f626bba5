import Glibc

/// Writes all bytes to a descriptor.
///
/// - Returns: an `errno` where that fails, else nil.
package func writeWhole(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
  var at = 0
  while at < bytes.count {
    let written = unsafe bytes.withUnsafeBytes {
      unsafe Glibc.write(descriptor, $0.baseAddress?.advanced(by: at), $0.count - at)
    }
    if written < 0, errno == EINTR { continue }
    guard written > 0 else { return errno }
    at += written
  }
  return nil
}
