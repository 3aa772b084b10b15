// Variables of a shell, and what words become with them. Pure.
#pragma once

#include "apps/shell/syntax.hpp"

#include <optional>

namespace twofold::shell {

/// The allocator outlives it. Not thread-safe.
class Variables {
public:
    static constexpr usize name_bytes_max = 64;
    static constexpr usize value_bytes_max = 65'536;
    static constexpr usize count_max = 256;

    struct Entry {
        std::string_view name;
        std::string_view value;
    };

    explicit Variables(AnyAllocator& allocator) : m_allocator(&allocator), m_variables(allocator) {}

    /// Errors: those of allocate; invalid_argument (no such name may be), no_space (too many, or
    /// the value is too long); the variable is then as it was. `value` does not lie in a variable.
    /// O(variables).
    Result<void> set(std::string_view name, std::string_view value);
    /// Errors: not_found. O(variables).
    Result<void> unset(std::string_view name);
    /// Valid until the next change. O(variables).
    std::optional<std::string_view> get(std::string_view name) const;

    usize size() const { return m_variables.size(); }
    /// By their names. Valid until the next change.
    Entry operator[](usize index) const {
        return {m_variables[index].name, m_variables[index].value};
    }

private:
    struct Variable {
        Letters name;
        Letters value;
    };

    usize place_of(std::string_view name) const;
    bool is_at(usize place, std::string_view name) const {
        return place < size() && m_variables[place].name.view() == name;
    }

    AnyAllocator* m_allocator;
    memory::Vector<Variable, AnyAllocator> m_variables; ///< sorted by name
};

/// Appends what a word (or an assignment's value) of `line` becomes. A variable that is not set is
/// empty; $? is `status`. Errors: those of allocate; no_space (above Variables::value_bytes_max).
/// O(what is appended).
Result<void> expand(
    ParsedLine const& line, Word const& word, Variables const& variables, u8 status, Letters& to);

} // namespace twofold::shell
