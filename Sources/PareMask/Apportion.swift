/// Divides `total` whole units in proportion to `quotas` by largest remainders (Hamilton's method), no share above its
/// capacity.
///
/// Each share starts at the whole part of its quota, cut to its capacity; what is left goes one by one to the largest
/// fractions, the lowest index first on ties, and then round after round to whoever has room. If the whole parts are
/// already too many, the smallest fractions give back first, the highest index first on ties. The sum is exactly
/// `total` if the capacities allow it, else their sum. Quotas that are negative or not finite count as 0.
public func apportion(total: Int, quotas: [Double], capacities: [Int]) -> [Int] {
    let count = min(quotas.count, capacities.count)
    let room = capacities.prefix(count).map { max(0, $0) }
    var shares = [Int](repeating: 0, count: count)
    var fractions = [Double](repeating: 0, count: count)
    for i in 0..<count {
        let quota = quotas[i].isFinite ? max(0, quotas[i]) : 0
        let whole = quota.rounded(.down)
        shares[i] = whole >= Double(room[i]) ? room[i] : Int(whole)
        fractions[i] = quota - whole
    }
    var left = max(0, total)
    for share in shares { left = left.subtractingReportingOverflow(share).partialValue }
    let order = fractions.indices.sorted { (-fractions[$0], $0) < (-fractions[$1], $1) }
    distribute(&left, order, &shares, room)
    return shares
}

/// Gives or takes back one at a time; each round visits every index once, and rounds are made in bulk while all take
/// part.
private func distribute(_ left: inout Int, _ order: [Int], _ shares: inout [Int], _ room: [Int]) {
    while left != 0 {
        let gives = left > 0
        let able = (gives ? order : order.reversed()).filter { gives ? shares[$0] < room[$0] : shares[$0] > 0 }
        guard let least = able.map({ gives ? room[$0] - shares[$0] : shares[$0] }).min() else { return }
        let rounds = max(1, min(least, abs(left) / able.count))
        for index in able where left != 0 {
            let change = min(rounds, abs(left))
            shares[index] += gives ? change : -change
            left -= gives ? change : -change
        }
    }
}
