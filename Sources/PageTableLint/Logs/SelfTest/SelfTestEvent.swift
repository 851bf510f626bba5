/// What a string of the self-test, or a line beside it, says.
enum SelfTestEvent {
  case header(early: Bool)
  case statistics(SelfTestStatistics, early: Bool)
  case failure(
    address: UInt64, SelfTestFailure.Kinds, entry: UInt64? = nil, level: Int? = nil,
    afterRevert: UInt64? = nil, isAtEnd: Bool = false)
  case error(SelfTestError.Kind)
  case ok
  case passed
  case notPassed
  case dropped
  case release(String, isBoot: Bool)
  case xen
  case nothing
}
