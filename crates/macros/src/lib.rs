//! The derive and the inline macro: a shim around the compiler. Users reach it through the crate `formwork`.

mod expand;
mod input;

use proc_macro2::TokenStream;
use syn::parse::Parser as _;

use input::{check_depth, derived, inline};

/// Gives a struct the model of a spec file.
///
/// `#[spec("specs/x.toml")]` names the file relative to the package's `Cargo.toml`; `task = ".."` chooses an entry point and
/// `spec_path = ".."` adds a folder of families.
#[proc_macro_derive(Transformer, attributes(spec))]
pub fn derive(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    whole(input.into(), |input| derived(syn::parse2(input)?))
}

/// Declares a struct with the model of a spec that stands right here.
///
/// `struct Name;` is followed by `toml = ".."` (an instance) or `fw = ".."` (a family), and perhaps `task = ".."`.
#[proc_macro]
pub fn transformer(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    whole(input.into(), |input| inline.parse2(input))
}

/// Tokens to a request to items; a request that cannot be read becomes its error.
fn whole(input: TokenStream, read: fn(TokenStream) -> syn::Result<input::Request>) -> proc_macro::TokenStream {
    let request = check_depth(&input).and_then(|()| read(input));
    match request {
        Ok(request) => expand::expand(&request).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
