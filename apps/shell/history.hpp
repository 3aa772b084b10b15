// History: the lines that were entered, the newest of them. Pure.
#pragma once

#include "apps/shell/letters.hpp"

#include <optional>

namespace twofold::shell {

/// The allocator outlives it. Not thread-safe.
class History {
public:
    static constexpr usize lines_max = 1000;
    static constexpr usize bytes_max = usize{256} << 10; ///< of all lines together

    explicit History(AnyAllocator& allocator) : m_bytes(allocator), m_sizes(allocator) {}

    /// Keeps a line, at the cost of the oldest ones where there are too many. Not kept are empty
    /// lines, those that begin with a blank, and one that is equal to the newest. Errors: those of
    /// allocate; the line is then not kept. O(bytes kept).
    Result<void> add(std::string_view line);

    usize size() const { return m_sizes.size(); }
    usize bytes() const { return m_bytes.size(); }
    /// A line by its age; 0 is the newest. Valid until the next one is added. O(age).
    std::string_view line(usize age) const;

    /// The age of the newest line of at least age `from` for which `fits(line)`. O(lines).
    template<class Fits>
    std::optional<usize> find_older(usize from, Fits const& fits) const {
        usize end = m_bytes.size();
        for (usize age = 0; age < size(); ++age) {
            usize const length = m_sizes[size() - 1 - age];
            if (age >= from && fits(slice(m_bytes, end - length, length))) {
                return age;
            }
            end -= length;
        }
        return std::nullopt;
    }
    /// The age of the oldest line that is younger than `from` and fits. O(lines).
    template<class Fits>
    std::optional<usize> find_younger(usize from, Fits const& fits) const {
        std::optional<usize> found;
        usize end = m_bytes.size();
        for (usize age = 0; age < std::min(from, size()); ++age) {
            usize const length = m_sizes[size() - 1 - age];
            if (fits(slice(m_bytes, end - length, length))) {
                found = age;
            }
            end -= length;
        }
        return found;
    }

private:
    void drop_oldest(usize bytes_wanted);

    Letters m_bytes; ///< the lines one behind another, the oldest first
    memory::Vector<u32, AnyAllocator> m_sizes;
};

} // namespace twofold::shell
