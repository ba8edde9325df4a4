/// A list that nearly always holds one: labels of a message, members of a field, digests of a body. The first is kept in
/// place, so that the usual message allocates nothing for its lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Few<T> {
    first: Option<T>,
    others: Vec<T>,
}

impl<T> Few<T> {
    pub(crate) fn push(&mut self, item: T) {
        if self.first.is_none() {
            self.first = Some(item);
        } else {
            self.others.push(item);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.first.iter().chain(&self.others)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.first.iter_mut().chain(&mut self.others)
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn last_mut(&mut self) -> Option<&mut T> {
        self.others.last_mut().or(self.first.as_mut())
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: None, others: Vec::new() }
    }
}

impl<T> From<T> for Few<T> {
    fn from(first: T) -> Self {
        Self { first: Some(first), others: Vec::new() }
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        Self { first: items.next(), others: items.collect() }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list() {
        let mut few = Few::default();
        assert_eq!((few.len(), few.is_empty(), few.last_mut()), (0, true, None));
        for item in 0..3 {
            few.push(item);
            assert_eq!((few.len(), few.is_empty(), few.last_mut().copied()), (item + 1, false, Some(item)));
        }
        assert!(few.iter().copied().eq(0..3));
        assert_eq!((0..3).collect::<Few<_>>(), few);
        assert_eq!((0..1).collect::<Few<_>>(), Few::from(0));
        assert!(few.into_iter().eq(0..3));
    }
}
