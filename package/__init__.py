"""What is published: images of the functions, and the packages that Crossplane installs."""
