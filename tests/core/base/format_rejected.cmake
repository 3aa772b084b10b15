# Compiles a file of right and wrong uses of format_to, one a line; passes if the compiler complains
# about every wrong line and about no right one.
#     cmake -D COMPILER=c++ -D SOURCES=<repository root> -D FOLDER=<for the file> -P format_rejected.cmake
cmake_minimum_required(VERSION 3.25)

set(right
    [[format_to(out, "{} {:x} {:>{}}", 1, 2u, "three", 4)]]
    [[format_to(out, "{{}}")]]
    [[format_to(out, "{}", Error::busy)]])
set(wrong
    [[format_to(out, "{}")]]
    [[format_to(out, "{} {}", 1)]]
    [[format_to(out, "no field", 1)]]
    [[format_to(out, "{0}", 1, 2)]]
    [[format_to(out, "{", 1)]]
    [[format_to(out, "}")]]
    [[format_to(out, "{:d}", "text")]]
    [[format_to(out, "{:s}", 1)]]
    [[format_to(out, "{:+}", 1u)]]
    [[format_to(out, "{:.2}", 1)]]
    [[format_to(out, "{:f}", 1)]]
    [[format_to(out, "{:{}}", 1, "wide")]]
    [[format_to(out, "{0} {}", 1, 2)]]
    [[format_to(out, "{}", 1.5)]]
    [[format_to(out, "{}", object)]]
    [[format_to(out, "{}", &object)]]
    [[format_to(out, variable, 1)]])

set(source "#include \"core/base/base.hpp\"
using namespace twofold;
struct Unknown {};
void use(Output const& out, std::string_view variable, Unknown object);
void use(Output const& out, std::string_view variable, Unknown object) {
static_cast<void>(variable), static_cast<void>(object);
")
set(first_line 7)
foreach(call IN LISTS right wrong)
    string(APPEND source "${call};\n")
endforeach()
set(file ${FOLDER}/format_rejected_calls.cpp)
file(WRITE ${file} "${source}}\n")
execute_process(
    COMMAND ${COMPILER} -std=c++23 -ffreestanding -fno-exceptions -fsyntax-only
        -I${SOURCES} -I${SOURCES}/core/base/mutants/none ${file}
    OUTPUT_VARIABLE complaints ERROR_VARIABLE complaints)

set(line ${first_line})
foreach(call IN LISTS right wrong)
    string(FIND "${complaints}" "format_rejected_calls.cpp:${line}:" found)
    if(call IN_LIST right AND NOT found EQUAL -1)
        message(FATAL_ERROR "does not compile, but should: ${call}\n${complaints}")
    elseif(call IN_LIST wrong AND found EQUAL -1)
        message(FATAL_ERROR "compiles, but should not: ${call}\n${complaints}")
    endif()
    math(EXPR line "${line} + 1")
endforeach()
