# gf_embed_files(<target> NAME <name> FOLDER <folder> [PREFIX <prefix>])
#
# Embeds the files of a folder, and of those below it, into a target that links with gf: as the constant <name> of type
# gres_bundle (gf/gres/gres.h), which the generated header <name>.h declares. <name> is a C identifier, the folder is one
# of the source tree, unless it is absolute. The files' paths begin behind the folder, with the prefix before them.
# Names that begin with a dot are left out, with all that is below them, except .well-known.
#
# A file that has changed, come or gone is noticed by the next build. What is generated depends on the files only: on
# their paths below the folder, their bytes and their times (at the latest SOURCE_DATE_EPOCH, where that is set).

# The files that are to be embedded, sorted, without those with hidden names.
function(_gf_embed_list folder ret_files)
    file(GLOB_RECURSE files LIST_DIRECTORIES false RELATIVE "${folder}" CONFIGURE_DEPENDS "${folder}/*")
    set(kept)
    foreach(file IN LISTS files)
        string(REGEX REPLACE "(^|/)\\.well-known(/|$)" "/" visible "${file}")
        if(visible MATCHES "(^|/)\\.")
            continue()
        endif()
        if(file MATCHES "[\\\\\"\n\r\t]" OR NOT EXISTS "${folder}/${file}")
            message(FATAL_ERROR "gf_embed_files(): \"${file}\" of ${folder} cannot be embedded: "
                "names with semicolons, brackets, quotes, backslashes or control characters are not understood")
        endif()
        list(APPEND kept "${file}")
    endforeach()
    list(SORT kept COMPARE STRING CASE SENSITIVE)
    set(${ret_files} "${kept}" PARENT_SCOPE)
endfunction()

function(gf_embed_files target)
    cmake_parse_arguments(PARSE_ARGV 1 embed "" "NAME;FOLDER;PREFIX" "")
    if(NOT TARGET ${target} OR embed_UNPARSED_ARGUMENTS OR NOT embed_NAME MATCHES "^[A-Za-z_][A-Za-z0-9_]*$"
       OR NOT embed_FOLDER)
        message(FATAL_ERROR "gf_embed_files(<target> NAME <C identifier> FOLDER <folder> [PREFIX <prefix>])")
    endif()
    if(embed_PREFIX MATCHES "[;\\\\\"]")
        message(FATAL_ERROR "gf_embed_files(): PREFIX: ${embed_PREFIX}: semicolons, backslashes and quotes are not understood")
    endif()
    get_filename_component(folder "${embed_FOLDER}" ABSOLUTE)
    if(NOT IS_DIRECTORY "${folder}")
        message(FATAL_ERROR "gf_embed_files(): ${folder} is no folder")
    endif()

    _gf_embed_list("${folder}" files)
    set(sources)
    foreach(file IN LISTS files)
        list(APPEND sources "${folder}/${file}")
    endforeach()

    # One folder for each bundle, so that no two generated headers see each other.
    set(generated "${CMAKE_CURRENT_BINARY_DIR}/gf_embedded/${target}/${embed_NAME}")
    list(JOIN files "\n" lines)
    file(CONFIGURE OUTPUT "${generated}/files.txt" CONTENT "${lines}\n" @ONLY)
    file(CONFIGURE OUTPUT "${generated}/${embed_NAME}.h" @ONLY CONTENT
"/* Files embedded by gf_embed_files(). */
#pragma once
#include <gf/gres/gres.h>
GF_BEGIN_DECLS
extern const gres_bundle ${embed_NAME};
GF_END_DECLS
")
    set(script "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/gf-embed-generate.cmake")
    add_custom_command(OUTPUT "${generated}/${embed_NAME}.c"
        COMMAND ${CMAKE_COMMAND} "-DNAME=${embed_NAME}" "-DFOLDER=${folder}" "-DPREFIX=${embed_PREFIX}"
            "-DLIST=${generated}/files.txt" "-DOUTPUT=${generated}/${embed_NAME}.c" -P "${script}"
        DEPENDS "${script}" "${generated}/files.txt" ${sources}
        COMMENT "Embedding ${embed_FOLDER} as ${embed_NAME}" VERBATIM)
    # The assembler reads the files where they are. -g0: no path of the build tree gets into the object by debug
    # information; -fno-lto: names that are defined in assembler are not seen by it.
    set_source_files_properties("${generated}/${embed_NAME}.c" PROPERTIES
        COMPILE_OPTIONS "-g0;-fno-lto" SKIP_LINTING ON)
    target_sources(${target} PRIVATE "${generated}/${embed_NAME}.c")
    target_include_directories(${target} PRIVATE "${generated}")
endfunction()
