//! A request to items.

use std::path::{Path, PathBuf};

use formwork_compiler::{Compiled, Failure, Options, Surface};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::input::{Order, Request, Spec};

/// The model's items in a module of their own and the trait; or what is wrong and a skeleton, so that nothing else fails.
pub(crate) fn expand(request: &Request) -> TokenStream {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let (item, name) = (&request.item, &request.name);
    let compiled = match &request.order {
        Ok(order) => compile(order, &snake(name), &root).map_err(|failure| shown(&failure, order, &root)),
        Err(error) => Err(error.to_compile_error()),
    };
    let items = match compiled {
        Ok(compiled) => items(name, &compiled),
        Err(error) => quote! {
            #error

            impl ::formwork::Transformer for #name {
                type Instance = ::formwork::Unavailable;
            }
        },
    };
    quote!(#item #items)
}

fn compile(order: &Order, name: &str, root: &Path) -> Result<Compiled, Failure> {
    let options = Options {
        task: order.task.as_ref().map(syn::LitStr::value),
        spec_path: order.spec_path.iter().map(|folder| root.join(folder.value())).collect(),
    };
    match &order.spec {
        Spec::File(path) => formwork_compiler::load(&root.join(path.value()), &options),
        Spec::Toml(text) => {
            formwork_compiler::load_text(&format!("{name}.toml"), &text.value(), Surface::Instance, &options)
        }
        Spec::Family(text) => {
            formwork_compiler::load_text(&format!("{name}.fw"), &text.value(), Surface::Family, &options)
        }
    }
}

fn snake(name: &Ident) -> String {
    formwork_codegen::crate_name(&name.to_string()).replace('-', "_")
}

fn items(name: &Ident, compiled: &Compiled) -> TokenStream {
    let generated = formwork_codegen::generate(&compiled.model);
    let module = format_ident!("__{}", snake(name));
    let (tokens, entry) = (generated.tokens(&quote!(::formwork::rt)), format_ident!("{}", generated.entry()));
    let files = compiled.files.iter().map(|file| file.display().to_string());
    quote! {
        #[doc(hidden)]
        pub mod #module {
            #tokens
        }

        impl ::formwork::Transformer for #name {
            type Instance = #module::model::#entry;
        }

        // The model counts as used, and a change of its files compiles it anew.
        const _: u64 = <#name as ::formwork::Transformer>::PARAMETERS;
        #(const _: &[u8] = ::core::include_bytes!(#files);)*
    }
}

/// The diagnostics as an error at the spec's literal.
fn shown(failure: &Failure, order: &Order, root: &Path) -> TokenStream {
    let text = formwork_diag::render_all(&failure.diagnostics, &failure.sources, false);
    // A file that was read is called as the user calls it; one that was not, by the path that was tried.
    let text = if failure.io { text } else { text.replace(&format!("{}/", root.display()), "") };
    quote_spanned!(order.spec.literal().span()=> ::core::compile_error!(#text);)
}

#[cfg(test)]
mod tests {
    use formwork_codegen::{CrateOptions, Generated, Runtime};
    use syn::{Item, parse_quote};

    use super::{Path, PathBuf, expand};
    use crate::input::derived;

    fn printed(items: Vec<Item>) -> String {
        let file: syn::File = parse_quote!(#(#items)*);
        prettyplease::unparse(&file)
    }

    /// The files that the command line writes, as text without their heads.
    fn files(generated: &Generated) -> Vec<(String, String)> {
        let runtime = Runtime::Version("0.1.0".into());
        let options = CrateOptions {
            name: "m".into(),
            spec: "m.toml".into(),
            runtime,
            text: None,
            standalone: false,
            member: false,
        };
        let files = generated.files(&options).into_iter().filter_map(|(path, text)| {
            let name = path.strip_prefix("src/")?.strip_suffix(".rs")?.to_string();
            (name != "lib" && name != "main").then(|| (name, printed(syn::parse_file(&text).unwrap().items)))
        });
        files.collect()
    }

    /// The modules of the macro, as text.
    fn modules(path: &str) -> Vec<(String, String)> {
        let request = derived(parse_quote!(
            #[spec(#path)]
            struct M;
        ))
        .unwrap();
        let file: syn::File = syn::parse2(expand(&request)).unwrap();
        let Some(Item::Mod(outer)) = file.items.into_iter().next() else { panic!("a module comes first") };
        let modules = outer.content.unwrap().1.into_iter().map(|item| {
            let Item::Mod(module) = item else { panic!("only modules") };
            let text = printed(module.content.unwrap().1);
            (module.ident.to_string(), text.replace("::formwork::rt", "formwork_runtime"))
        });
        modules.collect()
    }

    /// Text without line breaks: a module inside another wraps its lines earlier.
    fn unwrapped(files: Vec<(String, String)>) -> Vec<(String, String)> {
        let joined =
            |text: String| text.split_whitespace().collect::<Vec<_>>().join("").replace(",}", "}").replace(",)", ")");
        files.into_iter().map(|(name, text)| (name, joined(text))).collect()
    }

    #[test]
    fn macro_equals_cli() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/knobs");
        let mut seen = 0;
        for folder in std::fs::read_dir(root).unwrap() {
            let path: PathBuf = folder.unwrap().path().join("spec.toml");
            let compiled = formwork_compiler::load(&path, &formwork_compiler::Options::default()).unwrap();
            let cli = files(&formwork_codegen::generate(&compiled.model));
            let mut macros = modules(&path.display().to_string());
            macros.sort();
            assert_eq!(unwrapped(macros), unwrapped(cli), "{}", path.display());
            seen += 1;
        }
        assert!(seen > 20);
    }
}
