"""The command line: commands, plans, progress bars. Nothing below it imports rich or click.

main      the group of commands, and what becomes of an error
console   what a person sees: plan, bar, table; and the one JSON document
data      the options that say what the data are
scan      brimful scan
store     brimful pack, info, verify
train     brimful train
bench     brimful bench
demo      brimful demo
digits    images for the demo: scikit-learn's digits, or MNIST
story     the story's tree on disk, and its figures
"""
